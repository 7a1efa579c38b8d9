//! What a process waits for, as those see it who look at the whole network.
//!
//! A parked process leaves a [`Blocked`] on its stack. It is looked at only while the process can't go on: by the
//! thread that schedules it, or, for a process that is a thread, under a lock that keeps the thread parked.

use std::fmt;
use std::panic::Location;

/// What a parked process waits for; valid while it is parked.
pub(crate) trait Blocked {
    /// Where in the code it waits.
    fn place(&self) -> &'static Location<'static>;

    /// All that may end the wait, one by one; a deadline is known to who parked it.
    fn wants(&self, tell: &mut dyn FnMut(Want<'_>));

    /// Whether it waits in an alternation, for one of several things.
    fn chooses(&self) -> bool {
        false
    }
}

/// One thing that may end a wait.
#[derive(Clone, Copy)]
pub(crate) struct Want<'a> {
    pub(crate) operation: Operation,
    /// What the operation is at; None: time.
    pub(crate) object: Option<&'a dyn Object>,
}

/// What a process waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A read: for a value.
    Read,
    /// A write: for a reader, or for room in the buffer.
    Write,
    /// A read whose writer has agreed and is making the value.
    Handover,
    /// A write whose reader has the value and keeps the writer waiting ([`begin`](crate::Reader::begin)).
    Release,
    /// The guard `retired(end)`.
    Retirement,
    /// [`Barrier::sync`](crate::Barrier::sync): for the others.
    Sync,
    /// [`Bucket::fall_in`](crate::Bucket::fall_in): for a flush.
    FallIn,
    /// For the end of one process.
    Join,
    /// For the end of a set of processes: [`parallel!`](crate::parallel), or the children of a process.
    JoinAll,
    /// Until a deadline.
    Timeout,
    /// The guard `skip`.
    Skip,
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
    fn birth(&self) -> &'static Location<'static>;
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read from",
            Self::Write => "write to",
            Self::Handover => "handover from the writer of",
            Self::Release => "release by the reader of",
            Self::Retirement => "retirement of",
            Self::Sync => "synchronise at",
            Self::FallIn => "wait in",
            Self::Join => "join",
            Self::JoinAll => "join",
            Self::Timeout => "timeout",
            Self::Skip => "skip",
        })
    }
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
