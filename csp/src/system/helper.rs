//! Threads of the library's own, each started at the first need.
//!
//! Invariant: a helper is latched as running only when its thread exists. A start that the system
//! refuses is an error of the call that needed it, and the next need tries again. A copy of this OS
//! process that `fork` has made also tries again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, thread};

use super::forked;

/// One such thread.
pub(crate) struct Helper {
    name: &'static str,
    stack: usize,
    /// The generation, and below it the thread's state there.
    state: AtomicU64,
}

const NONE: u64 = 0;
const STARTS: u64 = 1;
const RUNS: u64 = 2;
const BITS: u32 = 2;

fn of_this_process(state: u64) -> u64 {
    (u64::from(forked::generation()) << BITS) | state
}

impl Helper {
    pub(crate) const fn new(name: &'static str, stack: usize) -> Self {
        Self { name, stack, state: AtomicU64::new(NONE) }
    }

    /// Ensures that the thread runs.
    ///
    /// # Errors
    /// If the system has no thread for it now.
    #[inline]
    pub(crate) fn need(&self, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        match self.runs() {
            true => Ok(()),
            false => self.start(body),
        }
    }

    #[inline]
    pub(crate) fn runs(&self) -> bool {
        self.state.load(Ordering::Acquire) == of_this_process(RUNS)
    }

    #[cold]
    fn start(&self, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        forked::watch();
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state == of_this_process(RUNS) {
                return Ok(());
            }
            if state == of_this_process(STARTS) {
                // Another thread is in `spawn`, which takes some microseconds.
                thread::yield_now();
                continue;
            }
            let starts = of_this_process(STARTS);
            if self
                .state
                .compare_exchange(state, starts, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                break;
            }
        }
        let started = has_room(self.stack).and_then(|()| {
            let thread = thread::Builder::new().name(self.name.to_owned()).stack_size(self.stack);
            thread.spawn(body).map(drop)
        });
        let state = if started.is_ok() { RUNS } else { NONE };
        self.state.store(of_this_process(state), Ordering::Release);
        started
    }

    /// Records that the thread is about to end. The thread itself calls this, some time after its
    /// start.
    pub(crate) fn ends(&self) {
        self.state.store(of_this_process(NONE), Ordering::SeqCst);
    }

    /// Lets the thread that has said that it [`ends`](Self::ends) go on nevertheless. Returns false
    /// if another one runs.
    pub(crate) fn goes_on(&self) -> bool {
        let (none, runs) = (of_this_process(NONE), of_this_process(RUNS));
        self.state.compare_exchange(none, runs, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Returns an error if the system has no address space for a thread with this stack. The standard library aborts the
/// program if a thread has its stack, but no memory for the alternate stack of its signals.
#[cfg(unix)]
#[allow(unsafe_code, reason = "asks the system for memory, and gives it back")]
fn has_room(stack: usize) -> io::Result<()> {
    /// The alternate stack, the thread's own words, and what other threads take meanwhile.
    const BESIDE: usize = 1 << 20;
    let bytes = stack.saturating_add(BESIDE);
    // SAFETY: the mapping is new, is not used, and ends here.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        let room = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0);
        if room == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::munmap(room, bytes);
    }
    Ok(())
}

#[cfg(not(unix))]
fn has_room(_: usize) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_was_refused_is_tried_again() {
        // No system has so large a stack.
        static HELPER: Helper = Helper::new("too large", 1 << 60);
        static SMALL: Helper = Helper::new("small", 64 << 10);
        for _ in 0..3 {
            assert!(HELPER.need(|| ()).is_err());
            assert!(!HELPER.runs());
        }
        let (tell, told) = mpsc::channel();
        SMALL.need(move || tell.send(()).unwrap()).unwrap();
        told.recv().unwrap();
    }

    #[test]
    fn of_many_that_need_it_one_starts_it() {
        static HELPER: Helper = Helper::new("once", 64 << 10);
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let count = || _ = STARTED.fetch_add(1, Ordering::SeqCst);
                    HELPER.need(count).unwrap();
                });
            }
        });
        while STARTED.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert!(HELPER.runs());
        assert_eq!(STARTED.load(Ordering::SeqCst), 1);
    }
}
