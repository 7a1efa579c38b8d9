//! Stands in for the engine `slab` where that is not compiled in: no fiber is ever of it.

#![allow(dead_code, reason = "which is used depends on the features")]

use std::fmt;

pub(super) const IS_HERE: bool = false;

pub(super) enum Fiber {}

#[derive(Clone, Copy)]
pub(crate) enum Suspender {}

#[derive(Debug)]
pub(super) struct NoStack;

pub(crate) fn floor_of(_: usize) -> Option<usize> {
    None
}

pub(super) fn stack_size(_: Option<usize>) -> usize {
    0
}

pub(super) fn measure(f: impl FnOnce()) -> Option<usize> {
    f();
    None
}

pub(super) fn name_by(_: fn(&mut dyn fmt::Write) -> fmt::Result) {}

impl Fiber {
    pub(super) fn create(
        _: usize,
        _: bool,
        _: impl FnOnce(Suspender) + 'static,
    ) -> Result<Self, NoStack> {
        Err(NoStack)
    }

    pub(super) fn resume(&self) -> bool {
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
        f.write_str("the engine `slab` is not here")
    }
}

/// There is none.
pub(crate) mod barrier {
    pub(crate) fn is_here() -> bool {
        false
    }

    pub(crate) fn pass() {
        unreachable!("only where it is here");
    }
}
