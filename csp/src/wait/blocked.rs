//! The wait of a process, as shown to threads that look at the whole network.
//!
//! A parked process leaves a [`Blocked`] on its stack. Others look at it only while the process can't go on. The
//! thread that schedules the process may look. If the process is a thread, the look happens under a lock that
//! keeps the thread parked.

use std::fmt;
use std::panic::Location;

use super::future::wakes::Wakes;
use super::seen::holders::{Holder, Runs};
use crate::report::place::Place;
use crate::report::termination::Poison;
use crate::report::{Fill, Retirement};

pub(crate) use crate::report::Operation;

/// The wait of a parked process. It is valid while the process is parked.
pub(crate) trait Blocked {
    /// Returns where in the code it waits.
    fn place(&self) -> &'static Location<'static>;

    /// Tells all that may end the wait, one by one. A deadline is known only to the code that
    /// parked the process.
    fn wants(&self, tell: &mut dyn FnMut(Want<'_>));

    /// Returns whether it goes on in another OS process, and only its stand-in here waits. The text is what its path has there
    /// behind the path here.
    fn elsewhere(&self) -> Option<&str> {
        None
    }

    /// Returns whether it waits in an alternation, for one of several things.
    fn chooses(&self) -> bool {
        false
    }
}

/// One thing that may end a wait.
#[derive(Clone, Copy)]
pub(crate) struct Want<'a> {
    pub(crate) operation: Operation,
    /// The object of the operation. `None` means time, or another thread.
    pub(crate) object: Option<&'a dyn Object>,
}

/// Which side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// An object that processes meet at, or wait for.
pub(crate) trait Object {
    /// Tells it from every other object that is alive.
    fn address(&self) -> usize;

    /// Returns its type as text: `Channel<u32>`.
    fn kind(&self) -> String;

    /// Returns the name that the user gave it, or that it goes by.
    fn name(&self) -> Option<String>;

    /// Returns where it was made.
    fn birth(&self) -> Place;

    /// Returns the processes that can end a wait there.
    fn needs(&self) -> Needs;

    /// Returns the processes that are known to hold ends of it here, or to be enrolled.
    fn holders(&self) -> Vec<Holder> {
        self.needs().into_holders()
    }

    /// Returns its content, if it is a channel.
    fn fill(&self) -> Option<Fill> {
        None
    }

    /// Returns the OS process that decides about it, and its number there, if it is a channel that others reach.
    fn away(&self) -> Option<(u64, u64)> {
        None
    }

    /// Returns how it retired, if it is a channel and that was noted.
    fn retirement(&self) -> Option<Retirement> {
        None
    }

    /// Takes back the operation of the process with this context, because its thread ends. That thread keeps it blocked here.
    ///
    /// `last` says that the process never goes on. Then nobody waits for an answer of other OS processes, and a value that
    /// they have given it by then goes back.
    fn dismiss(&self, _context: usize, _last: bool) -> Dismissal {
        Dismissal::Nothing
    }

    /// Returns whether it has let processes go that are perhaps not awake yet.
    fn is_telling(&self) -> bool {
        false
    }

    /// Ends the waits there for good. Any thread may do this while one is kept waiting there. Nothing of the
    /// user's is dropped. Wakers that are to be woken are put off until the waiting thread is let go.
    fn break_off(&self, poison: &Poison, later: &mut Wakes);
}

/// The answer to the question for the operation of a process whose thread ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dismissal {
    /// There is none here, or it was taken.
    Nothing,
    /// It was taken back, and its process is awake. The process is to be told.
    Done,
    /// Other OS processes have been asked to let it go. Their answer wakes the process, and tells it.
    Asked,
    /// They had been asked already, or the answer comes unasked.
    Expected,
}

/// The processes that can end a wait.
#[derive(Clone, Debug)]
pub(crate) enum Needs {
    /// Any holder of an end: these, and this many that are not known for certain.
    Anyone { holders: Runs, unknown: usize },
    /// All enrolled processes, together. These are known.
    Everyone { holders: Runs },
    /// The end of all processes of this group.
    Group(usize),
    /// The end of the process of this job.
    Process(usize),
    /// Anybody.
    Unknown,
}

impl Needs {
    pub(crate) fn into_holders(self) -> Vec<Holder> {
        match self {
            Self::Anyone { holders, .. } | Self::Everyone { holders } => holders.iter().collect(),
            Self::Group(_) | Self::Process(_) | Self::Unknown => Vec::new(),
        }
    }
}

/// Returns the name of a type without paths: `main::Job<alloc::vec::Vec<u8>>` is a `Job<Vec<u8>>`.
pub(crate) fn type_name<T: ?Sized>() -> String {
    let full = std::any::type_name::<T>();
    let mut short = String::new();
    let mut word = "";
    let mut rest = full;
    while let Some(next) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            (word, rest) = rest.split_at(end);
        } else if let Some(after) = rest.strip_prefix("::") {
            (word, rest) = ("", after);
        } else {
            short.push_str(word);
            short.push(next);
            (word, rest) = ("", &rest[next.len_utf8()..]);
        }
    }
    short + word
}

impl fmt::Display for Want<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(object) = self.object else { return self.operation.fmt(f) };
        match object.name() {
            Some(name) if self.operation.is_of_descriptor() => {
                write!(f, "{} {name}", self.operation)
            }
            Some(name) => write!(f, "{} `{name}`", self.operation),
            None => write!(f, "{} the {} of {}", self.operation, object.kind(), object.birth()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_type_goes_by_its_last_names() {
        assert_eq!(super::type_name::<u32>(), "u32");
        assert_eq!(super::type_name::<&'static str>(), "&str");
        assert_eq!(super::type_name::<Vec<Option<String>>>(), "Vec<Option<String>>");
        assert_eq!(super::type_name::<(u8, [crate::Reader<()>; 2])>(), "(u8, [Reader<()>; 2])");
        assert_eq!(super::type_name::<Box<dyn Fn(u8) -> String>>(), "Box<dyn Fn(u8) -> String>");
    }
}
