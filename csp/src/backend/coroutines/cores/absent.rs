//! The stand-in for schedulers on several cores: a network stays with the scheduler that starts it.

use std::cell::{Ref, RefCell, RefMut};
use std::sync::Arc;
use std::time::Instant;

use crate::process::work::Work;

/// Processes stay where they were started.
#[derive(Clone, Copy)]
pub(in crate::backend::coroutines) struct Loose;

#[allow(clippy::unused_self, reason = "as the other one")]
impl Loose {
    #[inline(always)]
    pub(in crate::backend::coroutines) fn is_known(self) -> bool {
        false
    }
}

/// Data that only one thread uses.
pub(in crate::backend::coroutines) struct Queue<T>(RefCell<T>);

impl<T> Queue<T> {
    pub(in crate::backend::coroutines) fn new(data: T) -> Self {
        Self(RefCell::new(data))
    }

    #[inline(always)]
    pub(in crate::backend::coroutines) fn own(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }

    #[inline(always)]
    pub(in crate::backend::coroutines) fn look(&self) -> Ref<'_, T> {
        self.0.borrow()
    }
}

/// Nothing is shared with other schedulers.
pub(in crate::backend::coroutines) struct Share;

#[rustfmt::skip]
#[allow(clippy::unused_self, reason = "as the other one")]
impl Share {
    pub(in crate::backend::coroutines) const fn new() -> Self { Self }
    pub(in crate::backend::coroutines) fn number(&self) -> Option<usize> { None }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn is_loose<S>(&self, _: &S, _: &dyn Work) -> Loose { Loose }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn queued(&self, _: Loose, _: usize) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn dequeued(&self, _: Loose) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn removed(&self, _: Loose, _: usize) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn work_came(&self, _: Loose, _: usize) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins_refused(&self) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins_batch(&self) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn ends_batch(&self) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn makes_stack(&self) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn run_measured<S>(&self, _: &S, _: &Arc<dyn Work>, _: usize) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn next_stack(&self, first: impl FnOnce() -> Option<usize>) -> Option<usize> { first() }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn knows_none(&self) -> bool { true }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn take_next<H>(&self, _: usize, held: H, first: impl Fn(H) -> Option<usize>) -> Option<usize> { first(held) }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn start_known<U>(&self, _: U) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn each_known<F>(&self, _: F) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn take_all_known<U>(&self) -> [U; 0] { [] }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn next_look(&self, _: u32, most: u32) -> u32 { most }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn starts_one(&self, _: u32, _: u32) -> bool { true }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn take_placed<S>(&self, _: &S) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn has_news(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn is_patient(&self) -> bool { true }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn finds_work<S>(&self, _: &S, _: Option<Instant>) -> bool { false }
    #[inline(always)]
    pub(in crate::backend::coroutines) fn rests(&self) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn goes_on<S>(&self, _: &S) {}
    #[inline(always)]
    pub(in crate::backend::coroutines) fn leaves<S>(&self, _: &S) {}
}
