//! A descriptor in a queue, as the queue sees it.

/// The sides of a descriptor that an event is about: a read, or a write, no longer waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadyFor {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// A descriptor that is told of its events.
pub(crate) trait Registrant: Send + Sync {
    fn is_ready(&self, ready: ReadyFor);
}
