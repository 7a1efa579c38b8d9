//! The engine `generator`: every target, a mapping of its own for each stack and another for its guard.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use generator::{Gn, LocalGenerator, Scope};

pub(super) const IS_HERE: bool = true;

/// Live fibers of one OS process. Each takes two memory mappings. The default limit of the system is
/// 65,530, and at the limit `generator` panics.
const MOST: usize = 30_000;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A panic with its backtrace takes 22 KiB here, a stable sort in a debug build 18.
const STACK: usize = 64 << 10;
const LEAST: usize = 16 << 10;

pub(crate) struct Fiber {
    // Dropping a suspended generator would unwind its stack from outside, which is never done.
    generator: UnsafeCell<ManuallyDrop<LocalGenerator<'static, (), ()>>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Suspender(*mut Scope<'static, 'static, (), ()>);

static NAME: OnceLock<fn(&mut dyn fmt::Write) -> fmt::Result> = OnceLock::new();

/// Sets the function that names the process of this thread.
pub(super) fn name_by(name: fn(&mut dyn fmt::Write) -> fmt::Result) {
    let _ = NAME.set(name);
}

/// Returns the bytes of stack for a process that asks for this many.
pub(super) fn stack_size(asked: Option<usize>) -> usize {
    asked.unwrap_or(STACK).max(LEAST).checked_next_multiple_of(LEAST).unwrap_or(usize::MAX)
}

impl Fiber {
    /// Creates a fiber. If `refusing`, it is for processes that are told that there are no stacks,
    /// and so may exceed the limit.
    pub(super) fn create(
        stack: usize,
        refusing: bool,
        body: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        if LIVE.load(Relaxed) >= MOST && !refusing {
            return Err(NoStack::Limit);
        }
        // `generator` counts in words, and takes an odd number for a wish to see the stack's use.
        let words = (stack / size_of::<usize>()).next_multiple_of(2);
        let body = move |mut scope: Scope<'_, '_, (), ()>| {
            body(Suspender((&raw mut scope).cast()));
        };
        // Where the system has no memory for it `generator` panics.
        let generator = catch_unwind(AssertUnwindSafe(|| Gn::new_scoped_opt_local(words, body)))
            .map_err(|_| NoStack::Memory(stack))?;
        LIVE.fetch_add(1, Relaxed);
        Ok(Self { generator: UnsafeCell::new(ManuallyDrop::new(generator)) })
    }

    #[inline(always)]
    pub(super) fn resume(&self) -> bool {
        // SAFETY: a fiber is resumed by its thread's scheduler alone, never from within itself, so
        // nobody else uses the generator meanwhile.
        let generator = unsafe { &mut *self.generator.get() };
        let overflow = Overflow;
        generator.resume();
        std::mem::forget(overflow);
        !generator.is_done()
    }
}

/// Dropped when a fiber unwinds into its scheduler: the one thing that does so is `generator`'s signal handler, at
/// an overflow. The data on that stack is lost, so the program can't go on.
struct Overflow;

impl Drop for Overflow {
    #[cold]
    fn drop(&mut self) {
        let mut process = String::new();
        if let Some(name) = NAME.get() {
            let _ = name(&mut process);
        }
        crate::system::stderr::last_words(&format!(
            "the process `{process}` has overflowed its stack; give it more, by `stack = \"…\"` at its function \
             or by `.stack(…)`\n"
        ));
        std::process::abort();
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        let generator = self.generator.get_mut();
        if generator.is_done() {
            // SAFETY: dropped once, here. Nothing is on its stack any more.
            unsafe { ManuallyDrop::drop(generator) };
            LIVE.fetch_sub(1, Relaxed);
        }
    }
}

impl Suspender {
    /// # Safety
    /// Called on the fiber that it was given to.
    #[inline(always)]
    pub(super) unsafe fn suspend(self) {
        // SAFETY: the scope is a local variable of this fiber's outermost frame.
        unsafe { (*self.0).yield_with(()) };
    }
}

#[derive(Debug)]
pub(crate) enum NoStack {
    /// As many fibers live as there may be.
    Limit,
    /// The system had no memory for this many bytes.
    Memory(usize),
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => f.write_str(
                "30,000 processes have started and are blocked, and the coroutine engine has no more stacks; run \
                 fewer at once, or let some of them end",
            ),
            Self::Memory(bytes) => write!(f, "there is no memory for a stack of {bytes} bytes"),
        }
    }
}
