//! Whether processes that have not started may move to another core.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::coroutines) struct Loose(pub(super) bool);
