//! What a process waits for, as those see it who look at the whole network.
//!
//! A parked process leaves a [`Blocked`] on its stack. It is looked at only while the process can't go on: by the
//! thread that schedules it, or, for a process that is a thread, under a lock that keeps the thread parked.

use std::fmt;
use std::panic::Location;

use crate::holders::{Holder, Runs};
use crate::place::Place;
use crate::report::Fill;
pub(crate) use crate::report::Operation;
use crate::termination::Poison;

/// What a parked process waits for; valid while it is parked.
pub(crate) trait Blocked {
    /// Where in the code it waits.
    fn place(&self) -> &'static Location<'static>;

    /// All that may end the wait, one by one; a deadline is known to who parked it.
    fn wants(&self, tell: &mut dyn FnMut(Want<'_>));

    /// Whether it goes on in another OS process, and only its stand-in here waits.
    fn is_elsewhere(&self) -> bool {
        false
    }

    /// Whether it waits in an alternation, for one of several things.
    fn chooses(&self) -> bool {
        false
    }
}

/// One thing that may end a wait.
#[derive(Clone, Copy)]
pub(crate) struct Want<'a> {
    pub(crate) operation: Operation,
    /// What the operation is at; None: time, or another thread.
    pub(crate) object: Option<&'a dyn Object>,
}

/// Which side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// What processes meet at, or wait for.
pub(crate) trait Object {
    /// Tells it from every other object that is alive.
    fn address(&self) -> usize;

    /// What it is: `Channel<u32>`.
    fn kind(&self) -> String;

    /// The name that the user gave it, or that it goes by.
    fn name(&self) -> Option<String>;

    /// Where it was made.
    fn birth(&self) -> Place;

    /// Who can end a wait there.
    fn needs(&self) -> Needs;

    /// What is in it, if it is a channel.
    fn fill(&self) -> Option<Fill> {
        None
    }

    /// Ends the waits there for good. Any thread may, while one is kept waiting there: nothing of the user's is
    /// dropped.
    fn break_off(&self, poison: &Poison);
}

/// Who can end a wait.
#[derive(Clone, Debug)]
pub(crate) enum Needs {
    /// Anyone who holds an end: these, and so many who are not known for certain.
    Anyone { holders: Runs, unknown: usize },
    /// All who are enrolled, together; these are known.
    Everyone { holders: Runs },
    /// The end of all processes of this group.
    Group(usize),
    /// The end of the process of this job.
    Process(usize),
    /// Whoever.
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

/// `main::Job<alloc::vec::Vec<u8>>` is a `Job<Vec<u8>>`.
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
