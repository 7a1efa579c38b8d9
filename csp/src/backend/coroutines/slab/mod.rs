//! The engine `slab`: corosensei's switches on stacks of our own making.
//!
//! - [`stack`]: a slot of address space, and where things are in it;
//! - [`region`]: where slots come from, and which one an address lies in; [`memory`]: what the kernel does
//!   for them;
//! - [`guard`]: the page below each stack; [`overflow`]: what happens when it is touched; [`valgrind`];
//! - [`stacks`]: the free ones of a thread; [`pool`]: those of the program; [`reclaim`]: when their memory
//!   goes back;
//! - [`usage`]: how deep a stack was used; [`barrier`]: what a lock needs that is one thread's own.
//!
//! What a stack costs: 256 KiB of address space, the pages that its process touches (at least one of 4 KiB),
//! the eighth of a page for the table that finds it, eight bytes while it is free. Not a mapping: all stacks
//! are in a handful of them.
#![allow(unsafe_code)]

pub(crate) mod barrier;
mod guard;
mod memory;
mod overflow;
mod pool;
mod reclaim;
mod region;
mod stack;
mod stacks;
mod usage;
mod valgrind;

#[cfg(test)]
mod tests;

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ptr::{NonNull, with_exposed_provenance_mut};
use std::{fmt, io};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use self::stack::{Class, HEADER, Stack};

pub(super) use self::overflow::name_by;

/// A stack as corosensei wants it.
struct Place {
    /// Kept, though `stack` tells it: every switch asks.
    base: NonZeroUsize,
    stack: Stack,
}

// SAFETY: the slot is this one's alone, all of it but the guard page is writable, and it has at least three
// pages.
unsafe impl corosensei::stack::Stack for Place {
    #[inline(always)]
    fn base(&self) -> NonZeroUsize {
        self.base
    }

    #[inline]
    fn limit(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.stack.start()).expect("a slot never starts at address 0")
    }
}

type Header = UnsafeCell<ManuallyDrop<Coroutine<(), (), (), Place>>>;

const _: () = assert!(size_of::<Header>() <= HEADER, "a fiber's own does not fit above its base");

const STACK: usize = 256 << 10;

pub(super) const IS_HERE: bool = true;

/// A stack with a suspended computation on it. It stays on the thread that made it.
///
/// Dropped when finished, it gives its stack back. Dropped before, it is forgotten, stack and all: what is on
/// the stack is nobody's to drop but the computation's own.
pub(super) struct Fiber {
    /// At the top of the stack itself, in the cache line that a switch touches anyway.
    computation: NonNull<Header>,
}

/// The bytes that a process gets who asks for so many: address space, its guard page included.
pub(super) fn stack_size(asked: Option<usize>) -> usize {
    asked.map_or(STACK, |bytes| Class::of(bytes).map_or(bytes, Class::bytes))
}

/// Where the usable part begins of the stack that this address lies in, if it is one of ours.
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(crate) fn floor_of(address: usize) -> Option<usize> {
    region::Slot::at(address).map(region::Slot::floor)
}

/// Runs `f`, and says how many bytes of the present stack were in use at once meanwhile.
pub(super) fn measure(f: impl FnOnce()) -> Option<usize> {
    usage::begin();
    f();
    usage::high_water()
}

impl Fiber {
    /// `refusing`: on the stack that each thread keeps for it, whatever its size.
    pub(super) fn create(
        stack: usize,
        refusing: bool,
        body: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        let spare = if refusing { stacks::take_spare() } else { None };
        let stack = spare.map_or_else(|| stacks::take(stack), Ok)?;
        let base = stack.base();
        let header = with_exposed_provenance_mut::<Header>(base.get());
        let computation = Coroutine::with_stack(Place { base, stack }, move |yielder, ()| {
            body(Suspender(NonNull::from(yielder)));
        });
        // SAFETY: `HEADER` bytes above the base belong to us; they are aligned to 16, and no other part of
        // the stack is here.
        unsafe { header.write(Header::new(ManuallyDrop::new(computation))) };
        // SAFETY: no base is 0.
        Ok(Self { computation: unsafe { NonNull::new_unchecked(header) } })
    }

    /// Runs it until it suspends or finishes; true if it has not finished.
    #[inline(always)]
    pub(super) fn resume(&self) -> bool {
        // SAFETY: the computation lives as long as the fiber, on this thread, and nothing else touches it:
        // what runs inside it has a `Suspender` and no `Fiber`.
        let computation = unsafe { &mut *self.computation.as_ref().get() };
        matches!(computation.resume(()), CoroutineResult::Yield(()))
    }

    fn finished(&self) -> bool {
        // SAFETY: as in `resume`.
        unsafe { (*self.computation.as_ref().get()).done() }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if self.finished() {
            // SAFETY: read once, since the fiber is gone then; nothing is on the stack any more.
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

/// Inside the body of a fiber: the way back to whoever resumed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspender(NonNull<Yielder<(), ()>>);

impl Suspender {
    /// It is going to be resumed soon.
    #[inline(always)]
    pub(crate) fn prefetch(this: Option<Self>) {
        crate::sync::prefetch(this.map_or(std::ptr::null(), |this| this.0.as_ptr().cast_const()));
    }

    /// Returns when the fiber is resumed.
    ///
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(crate) unsafe fn suspend(self) {
        // SAFETY: the yielder is at the base of the stack that calls this, and stays there until the body
        // returns.
        unsafe { self.0.as_ref() }.suspend(());
    }
}

/// No stack is to be had.
#[derive(Debug)]
pub(super) enum NoStack {
    /// More than there can be of one.
    Size {
        bytes: usize,
    },
    /// The kernel lets a program have so many mappings, and with so many stacks they are used up.
    Mappings {
        stacks: usize,
    },
    Memory(io::Error),
}

impl NoStack {
    fn memory(error: io::Error) -> NoStack {
        NoStack::Memory(error)
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoStack::Size { bytes } => {
                write!(f, "no stack can have {bytes} bytes: ask for at most 1 TiB")
            }
            NoStack::Mappings { stacks } => write!(
                f,
                "no more stacks than {stacks}: each takes two of the mappings that this kernel lets a program have; raise the \
                 limit (sysctl vm.max_map_count), or run on Linux 6.13, where stacks need none"
            ),
            NoStack::Memory(error) => {
                write!(
                    f,
                    "no memory for a stack ({error}): run fewer processes at once, or ask for smaller stacks"
                )
            }
        }
    }
}
