//! A descriptor in a queue, as the queue sees it.

/// The news of one side of a descriptor in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Nothing.
    No,
    /// An operation no longer waits.
    Yes,
    /// The same, and perhaps no event tells of the next one: the other side has ended, something has failed, or a byte is urgent.
    Untold,
}

/// An event: whether reads, and writes, no longer wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadyFor {
    pub(crate) reads: Readiness,
    pub(crate) writes: Readiness,
}

/// A descriptor that is told of its events.
pub(crate) trait Registrant: Send + Sync {
    fn is_ready(&self, ready: ReadyFor);
}
