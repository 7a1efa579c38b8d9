//! The stand-in where there is no event queue: nothing comes from outside.

use std::time::Instant;

pub(crate) struct EventQueue;

#[rustfmt::skip]
#[allow(clippy::unused_self, reason = "as the other one")]
impl EventQueue {
    pub(crate) const fn new() -> Self { Self }
    #[inline(always)]
    pub(crate) fn is_awaited(&self) -> bool { false }
    #[inline(always)]
    pub(crate) fn look(&self, _: impl FnOnce()) {}
    #[inline(always)]
    pub(crate) fn wait(&self, _: Option<Instant>) {}
    #[inline(always)]
    pub(crate) fn deliver(&self, _: impl FnOnce()) {}
    #[inline(always)]
    pub(crate) fn is_due(&self) -> bool { false }
    #[inline(always)]
    pub(crate) fn wake(&self) {}
}

#[inline(always)]
pub(crate) fn adopt(_: &'static EventQueue) {}

#[inline(always)]
pub(crate) fn leave() {}
