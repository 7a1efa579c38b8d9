//! Which process is meant, wherever it runs.

/// A process, told apart from all others that are alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Who {
    /// Address of its job.
    pub(crate) job: usize,
    /// Which replica.
    pub(crate) index: usize,
}
