//! The seam between the scheduler and what switches stacks: create, resume, suspend, finish.
//!
//! A [`Fiber`] is a stack with a suspended computation on it. It belongs to one thread for ever. Its body is a
//! loop that runs one process after another, so fibers are pooled and finish only with their thread.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;

use generator::{Gn, LocalGenerator, Scope};

/// Live fibers of one OS process. Each takes two memory mappings; the default limit of the system is
/// 65,530, and at the limit `generator` panics.
pub(super) const MOST: usize = 30_000;

/// What one is told that finds no stack.
pub(super) const REFUSAL: &str = "30,000 processes have started and are blocked, and the coroutine engine \
    has no more stacks; run fewer at once, or let some of them end";

pub(super) struct Fiber {
    // Dropping a suspended generator would unwind its stack from outside, which is never done.
    generator: UnsafeCell<ManuallyDrop<LocalGenerator<'static, (), ()>>>,
}

/// Given to the body of a fiber: the way back to whoever resumed it.
#[derive(Clone, Copy)]
pub(super) struct Suspender(*mut Scope<'static, 'static, (), ()>);

impl Fiber {
    /// A fiber with a stack of so many bytes. `body` runs at the first `resume`.
    pub(super) fn create(stack: usize, body: impl FnOnce(Suspender) + 'static) -> Self {
        // `generator` counts in words, and takes an odd number for a wish to see the stack's use.
        let words = (stack / size_of::<usize>()).next_multiple_of(2);
        let generator = Gn::new_scoped_opt_local(words, move |mut scope: Scope<'_, '_, (), ()>| {
            body(Suspender((&raw mut scope).cast()));
        });
        Self { generator: UnsafeCell::new(ManuallyDrop::new(generator)) }
    }

    /// Runs it until it suspends or finishes.
    #[inline(always)]
    pub(super) fn resume(&self) {
        // SAFETY: a fiber is resumed by its thread's scheduler alone, never from within itself, so
        // nobody else uses the generator meanwhile.
        unsafe { (*self.generator.get()).resume() };
    }

    /// Gives its stack back; its body has returned.
    pub(super) fn finish(self) {
        drop(ManuallyDrop::into_inner(self.generator.into_inner()));
    }
}

impl Suspender {
    /// Back to whoever resumed the fiber; returns when it is resumed again.
    ///
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(super) unsafe fn suspend(self) {
        // SAFETY: the scope is a local variable of this fiber's outermost frame.
        unsafe { (*self.0).yield_with(()) };
    }
}
