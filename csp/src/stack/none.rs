//! Stands in for an engine that is not compiled in: no fiber is ever of it.

use std::fmt;

pub(crate) const IS_HERE: bool = false;

pub(crate) enum Fiber {}

#[derive(Clone, Copy)]
pub(crate) enum Suspender {}

#[derive(Debug)]
pub(crate) struct NoStack;

pub(crate) fn floor_of(_: usize) -> Option<usize> {
    None
}

pub(crate) fn stack_size(_: Option<usize>) -> usize {
    0
}

pub(crate) fn measure(f: impl FnOnce()) -> Option<usize> {
    f();
    None
}

/// Whether an overflow is named in an OS process that was caught ahead of `main`.
pub(crate) const NAMES_OVERFLOWS: bool = false;

pub(crate) fn watch_stack_of_this_thread(_: fn(&mut dyn fmt::Write) -> fmt::Result) {}

pub(crate) fn name_by(_: fn(&mut dyn fmt::Write) -> fmt::Result) {}

impl Fiber {
    pub(crate) fn create(
        _: usize,
        _: bool,
        _: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        Err(NoStack)
    }

    pub(crate) fn resume(&self) -> bool {
        match *self {}
    }
}

impl Suspender {
    pub(crate) fn prefetch(_: Option<Self>) {}

    #[allow(unsafe_code, reason = "as the engine that is not here")]
    pub(crate) unsafe fn suspend(self) {
        match self {}
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this engine is not compiled in")
    }
}
