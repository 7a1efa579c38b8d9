//! Whether processes that have not started may move to another core.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::coroutines) enum Loose {
    /// They stay where they are.
    Bound,
    /// Another core takes them if it has evidence that this one is busy.
    OnEvidence,
    /// Another core takes them as soon as it can, because they are known to be worth it.
    AtOnce,
}

impl Loose {
    #[inline(always)]
    pub(super) fn is_on_evidence(self) -> bool {
        self == Self::OnEvidence
    }

    /// Returns whether the processes stand in a queue of their own.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn is_known(self) -> bool {
        self == Self::AtOnce
    }
}
