//! Floor 2. The engine `slab`: corosensei's switches on stacks of our own making.
//!
//! - [`stack`]: a slot of address space, and the layout of a stack in it.
//! - [`region`]: the source of the slots, and the search for the slot of an address. [`memory`]:
//!   the kernel's services for them.
//! - [`guard`]: the guard below each stack. [`overflow`]: the handler for a touch of it.
//!   [`valgrind`].
//! - [`stacks`]: the free stacks of a thread. [`pool`]: the free stacks of the program.
//!   [`reclaim`]: the return of their memory to the system.
//! - [`usage`]: the depth to which a stack was used.
//!
//! A stack costs 320 KiB of address space and the pages that its process touches, at least one of 4
//! KiB. The table that finds it takes the sixth of a page, and a list eight bytes while it is free.
//! It costs no mapping, because all stacks are in a handful of mappings.
#![allow(unsafe_code)]

mod guard;
mod memory;
mod overflow;
mod pool;
mod reclaim;
mod region;
mod stack;
mod stacks;
#[cfg(test)]
mod tests;
mod usage;
mod valgrind;

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ptr::{NonNull, with_exposed_provenance_mut};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use self::stack::{Class, HEADER, Stack};
use super::tsan::Track;

pub(crate) use self::stack::NoStack;

pub(crate) use self::overflow::name_by;
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use self::overflow::watch_stack_of_this_thread;

/// Whether an overflow is named in an OS process that was caught ahead of `main`.
pub(crate) const NAMES_OVERFLOWS: bool = true;

/// A stack in the form that corosensei needs.
struct StackInUse {
    /// Kept, although `stack` has it, because every switch asks for it.
    base: NonZeroUsize,
    stack: Stack,
}

// SAFETY: the slot is this one's alone. All of it except the guard is writable, and that is at
// least four pages.
unsafe impl corosensei::stack::Stack for StackInUse {
    #[inline(always)]
    fn base(&self) -> NonZeroUsize {
        self.base
    }

    #[inline]
    fn limit(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.stack.start()).expect("a slot never starts at address 0")
    }
}

type Header = UnsafeCell<ManuallyDrop<Coroutine<(), (), (), StackInUse>>>;

const _: () = assert!(size_of::<Header>() <= HEADER, "a fiber's own does not fit above its base");

/// Without optimisation frames are several times as large, because each move of a value is a copy
/// in a place of its own. The size is then as much as a thread has.
const STACK: usize = if cfg!(debug_assertions) { 2 << 20 } else { 256 << 10 };

pub(crate) const IS_HERE: bool = true;

/// A stack with a suspended computation on it. It stays on the thread that made it.
///
/// Dropped when finished, it gives its stack back. Dropped before, it is forgotten with its stack,
/// because only the computation itself may drop the values on the stack.
pub(crate) struct Fiber {
    /// At the top of the stack itself, in the cache line that a switch touches anyway.
    computation: NonNull<Header>,
    track: Track,
}

/// Returns how many bytes a process gets that asks for this many.
pub(crate) fn stack_size(asked: Option<usize>) -> usize {
    asked.map_or(STACK, |bytes| Class::of(bytes).map_or(bytes, Class::bytes))
}

/// Returns the beginning of the usable part of the stack that contains this address, if it is one
/// of ours.
pub(crate) fn floor_of(address: usize) -> Option<usize> {
    region::StackSlot::at(address).map(region::StackSlot::floor)
}

/// Runs `f`. Returns how many bytes of the present stack were in use at once meanwhile.
pub(crate) fn measure(f: impl FnOnce()) -> Option<usize> {
    usage::begin();
    f();
    usage::high_water()
}

impl Fiber {
    /// Makes a fiber. `refusing`: on the stack that each thread keeps for a refusal, whatever its
    /// size.
    pub(crate) fn create(
        stack: usize,
        refusing: bool,
        body: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        let spare = if refusing { stacks::take_spare() } else { None };
        let stack = spare.map_or_else(|| stacks::take(stack), Ok)?;
        let base = stack.base();
        let header = with_exposed_provenance_mut::<Header>(base.get());
        let computation = Coroutine::with_stack(StackInUse { base, stack }, move |yielder, ()| {
            body(Suspender(NonNull::from(yielder)));
            Track::suspends();
        });
        // SAFETY: `HEADER` bytes above the base belong to us. They are aligned to 16, and no other
        // part of the stack is there.
        unsafe { header.write(Header::new(ManuallyDrop::new(computation))) };
        // SAFETY: no base is 0.
        Ok(Self { computation: unsafe { NonNull::new_unchecked(header) }, track: Track::new() })
    }

    /// Runs it until it suspends or finishes. Returns true if it has not finished.
    #[inline(always)]
    pub(crate) fn resume(&self) -> bool {
        // SAFETY: the computation lives as long as the fiber, on this thread, and nothing else
        // touches it. Code inside it has a `Suspender` and no `Fiber`.
        let computation = unsafe { &mut *self.computation.as_ref().get() };
        let result = self.track.during(|| computation.resume(()));
        matches!(result, CoroutineResult::Yield(()))
    }

    fn finished(&self) -> bool {
        // SAFETY: as in `resume`.
        unsafe { (*self.computation.as_ref().get()).done() }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if self.finished() {
            // SAFETY: read once, because the fiber is gone then. The stack is not in use any more.
            let computation = unsafe { self.computation.read() };
            stacks::give(ManuallyDrop::into_inner(computation.into_inner()).into_stack().stack);
        }
    }
}

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber").field("finished", &self.finished()).finish_non_exhaustive()
    }
}

/// The way out of the body of a fiber, back to the code that resumed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspender(NonNull<Yielder<(), ()>>);

impl Suspender {
    /// Fetches its stack, because it is going to be resumed soon.
    #[inline(always)]
    pub(crate) fn prefetch(this: Option<Self>) {
        crate::sync::prefetch(this.map_or(std::ptr::null(), |this| this.0.as_ptr().cast_const()));
    }

    /// Suspends the fiber. Returns when it is resumed.
    ///
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(crate) unsafe fn suspend(self) {
        Track::suspends();
        // SAFETY: the yielder is at the base of the stack that calls this, and stays there until
        // the body returns.
        unsafe { self.0.as_ref() }.suspend(());
    }
}
