//! Processes that have not started.

use std::sync::Arc;

use super::cores::Loose;
use crate::process::work::Work;

/// Processes that have not started: those of `work` from `next` on.
pub(super) struct Unstarted {
    pub(super) work: Arc<dyn Work>,
    pub(super) next: usize,
    /// The index behind the last of them.
    pub(super) count: usize,
    /// The size of the stack that each of them wants, in bytes.
    pub(super) stack: usize,
    /// Whether the scheduler of another core may take them.
    pub(super) loose: Loose,
}
