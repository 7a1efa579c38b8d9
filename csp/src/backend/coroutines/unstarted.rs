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

impl Unstarted {
    /// Returns how many there are.
    pub(super) fn left(&self) -> usize {
        self.count - self.next
    }

    /// Takes away the last `n`.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    pub(super) fn split_off(&mut self, n: usize) -> Self {
        let count = self.count;
        self.count -= n;
        let Self { ref work, stack, loose, .. } = *self;
        Self { work: Arc::clone(work), next: self.count, count, stack, loose }
    }
}
