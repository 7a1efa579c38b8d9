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

    fn add(&mut self, start: usize, length: usize) -> Option<()> {
        self.0.push(Kept { start, length, guard: 0, is_in_use: true });
        Some(())
    }

    fn guard(&mut self, start: usize, length: usize) -> Option<()> {
        self.in_use(start)?.guard = length;
        Some(())
    }

    fn has_guard(&mut self, start: usize, length: usize) -> Option<()> {
        (self.in_use(start)?.guard == length).then_some(())
    }

    fn give_back(&mut self, start: usize, length: usize) -> Option<()> {
        let kept = self.in_use(start).filter(|kept| kept.length == length)?;
        kept.is_in_use = false;
        Some(())
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

/// Calls a function with the stacks of this thread, except while they are in use or gone. It returns `None` for these, too.
fn with_stacks<R>(does: impl FnOnce(&mut Stacks) -> Option<R>) -> Option<R> {
    STACKS.try_with(|stacks| does(&mut *stacks.try_borrow_mut().ok()?)).ok().flatten()
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
    if let Some(start) = with_stacks(|stacks| if is_stack { stacks.take(length) } else { None }) {
        return start as *mut c_void;
    }
    // SAFETY: the caller's.
    let start =
        unsafe { libc::syscall(libc::SYS_mmap, at, length, protection, flags, file, offset) };
    if is_stack && start != -1 {
        with_stacks(|stacks| stacks.add(start as usize, length));
    }
    start as *mut c_void
}

// SAFETY: it does what `mprotect` of the C library does, except where that is done.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, length: usize, protection: c_int) -> c_int {
    let is_guard = protection == libc::PROT_NONE;
    if is_guard
        && with_stacks(|stacks| Some(stacks.in_use(start as usize)?.guard == length)) == Some(true)
    {
        return 0;
    }
    // SAFETY: the caller's.
    let result = unsafe { libc::syscall(libc::SYS_mprotect, start, length, protection) };
    if is_guard && result == 0 {
        with_stacks(|stacks| stacks.guard(start as usize, length));
    }
    result as c_int
}

// SAFETY: the memory is the caller's no more, whether it is kept or unmapped.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(start: *mut c_void, length: usize) -> c_int {
    if with_stacks(|stacks| stacks.give_back(start as usize, length)).is_some() {
        return 0;
    }
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_munmap, start, length) as c_int }
}
