//! The depth of values that are packed or unpacked: as deep as the stack allows on which that is
//! done.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ops::Range;

use crate::stack::slab;

/// The number of levels between two looks at the stack.
const STEP: u32 = 8;
/// The room for `STEP` levels, and for the work at the deepest: some 2 KiB a level without
/// optimisation.
const RESERVE: usize = 48 << 10;
/// The most that is used of a stack of unknown size: a quarter of the smallest that is usual.
const UNKNOWN: usize = 16 << 10;

/// The number of levels, and the place where they began.
pub(crate) struct Depth {
    levels: u32,
    began: usize,
}

impl Depth {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { levels: 0, began: here() }
    }

    /// Enters one level. Returns an error if there is no room for it.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), String> {
        self.levels += 1;
        if self.levels.is_multiple_of(STEP) { self.look() } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.levels -= 1;
    }

    #[cold]
    fn look(&self) -> Result<(), String> {
        let enough = match left() {
            Some(left) => left >= RESERVE,
            None => self.began.abs_diff(here()) < UNKNOWN,
        };
        if enough {
            return Ok(());
        }
        Err(format!(
            "it is nested too deep: {} levels, and its process has no more stack; give it more, by `stack = \"…\"` at its \
             function or by `.stack(…)`, or nest less (a `Vec` instead of a list)",
            self.levels
        ))
    }
}

/// Returns an address on this stack.
#[inline]
fn here() -> usize {
    let local = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}

/// Returns how many bytes of this stack are left, if that is known.
fn left() -> Option<usize> {
    let here = here();
    if let Some(floor) = slab::floor_of(here) {
        return Some(here.saturating_sub(floor));
    }
    let of_thread = thread()?;
    of_thread.contains(&here).then(|| here - of_thread.start)
}

/// Returns the stack of this thread.
fn thread() -> Option<Range<usize>> {
    std::thread_local! {
        static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }
    let (start, end) = STACK.get().or_else(|| {
        let stack = ask()?;
        STACK.set(Some(stack));
        Some(stack)
    })?;
    Some(start..end)
}

fn ask() -> Option<(usize, usize)> {
    let mut start = std::ptr::null_mut();
    let mut size = 0;
    let mut guard = 0;
    // SAFETY: the attributes are initialised by the first call, if it succeeds, and destroyed once.
    // The other calls only read them.
    unsafe {
        let mut attributes = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return None;
        }
        let known = libc::pthread_attr_getstack(&attributes, &mut start, &mut size) == 0;
        libc::pthread_attr_getguardsize(&attributes, &mut guard);
        libc::pthread_attr_destroy(&mut attributes);
        known.then(|| (start.addr() + guard, start.addr() + size))
    }
}
