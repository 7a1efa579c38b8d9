//! Keeps the stacks of loom's threads for the next execution. The system took 60 % of the time of all models to map them, to fill their
//! pages and to unmap them again. The crate `generator`, which makes them, has no place for an allocator. So these functions stand before
//! those of the C library, in this test program alone.

use std::cell::RefCell;
use std::ffi::{c_int, c_long, c_void};

/// A mapping that was made as a stack.
struct Kept {
    start: usize,
    length: usize,
    /// How much of it, from its start, is closed as a guard.
    guard: usize,
    is_in_use: bool,
}

/// The stacks of one test. They are few, because a model has few threads.
struct Stacks(Vec<Kept>);

thread_local! {
    static STACKS: RefCell<Stacks> = const { RefCell::new(Stacks(Vec::new())) };
}

impl Stacks {
    fn take(&mut self, length: usize) -> Option<usize> {
        let found = self.0.iter_mut().find(|kept| !kept.is_in_use && kept.length == length)?;
        found.is_in_use = true;
        Some(found.start)
    }

    fn in_use(&mut self, start: usize) -> Option<&mut Kept> {
        self.0.iter_mut().find(|kept| kept.is_in_use && kept.start == start)
    }

    /// Takes a stack back. Returns whether it was one.
    fn give_back(&mut self, start: usize, length: usize) -> bool {
        let kept = self.in_use(start).filter(|kept| kept.length == length);
        kept.map(|kept| kept.is_in_use = false).is_some()
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        for kept in self.0.drain(..).filter(|kept| !kept.is_in_use) {
            // SAFETY: nobody uses it, and it was made whole by `mmap`.
            unsafe { libc::syscall(libc::SYS_munmap, kept.start, kept.length) };
        }
    }
}

/// Calls a function with the stacks of this thread. Returns `None` while they are in use or gone.
fn with_stacks<R>(does: impl FnOnce(&mut Stacks) -> R) -> Option<R> {
    STACKS.try_with(|stacks| Some(does(&mut *stacks.try_borrow_mut().ok()?))).ok().flatten()
}

/// Gives a stack again that has this length, with what its last user left in it.
// SAFETY: it takes what `mmap` of the C library takes, and gives the same: memory that nobody else uses.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    at: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: c_long,
) -> *mut c_void {
    let is_stack = at.is_null() && flags & libc::MAP_STACK != 0;
    if is_stack && let Some(Some(start)) = with_stacks(|stacks| stacks.take(length)) {
        return start as *mut c_void;
    }
    // SAFETY: the caller's.
    let start =
        unsafe { libc::syscall(libc::SYS_mmap, at, length, protection, flags, file, offset) };
    if is_stack && start != -1 {
        let start = start as usize;
        with_stacks(|stacks| stacks.0.push(Kept { start, length, guard: 0, is_in_use: true }));
    }
    start as *mut c_void
}

// SAFETY: it does what `mprotect` of the C library does, except where that is done.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, length: usize, protection: c_int) -> c_int {
    let is_guard = protection == libc::PROT_NONE;
    let guard = |stacks: &mut Stacks| stacks.in_use(start as usize).map_or(0, |kept| kept.guard);
    if is_guard && with_stacks(guard) == Some(length) {
        return 0;
    }
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(libc::SYS_mprotect, start, length, protection) };
    if is_guard && result == 0 {
        with_stacks(|stacks| {
            if let Some(kept) = stacks.in_use(start as usize) {
                kept.guard = length;
            }
        });
    }
    result as c_int
}

// SAFETY: the memory is the caller's no more, whether it is kept or unmapped.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(start: *mut c_void, length: usize) -> c_int {
    if with_stacks(|stacks| stacks.give_back(start as usize, length)) == Some(true) {
        return 0;
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_munmap, start, length) as c_int }
}
