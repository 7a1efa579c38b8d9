//! Writing to a pipe that nobody reads any more: an error, also if `SIGPIPE` would end this program.
#![allow(unsafe_code)]

/// While it lives, `SIGPIPE` does not come to this thread.
pub(in crate::backend::subprocess) struct WithoutSigpipe {
    before: libc::sigset_t,
    /// One waited already, so it is somebody else's.
    was_pending: bool,
}

fn sigpipe() -> libc::sigset_t {
    // SAFETY: the set is made before it is used.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        signals
    }
}

fn is_pending() -> bool {
    // SAFETY: the set is this function's own.
    unsafe {
        let mut pending = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
    }
}

impl WithoutSigpipe {
    pub(in crate::backend::subprocess) fn begin() -> Self {
        let signals = sigpipe();
        // SAFETY: both sets are this thread's own.
        let (before, is_blocked) = unsafe {
            let mut before = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, &raw mut before);
            (before, libc::sigismember(&raw const before, libc::SIGPIPE) == 1)
        };
        // One that was not blocked would have come.
        Self { before, was_pending: is_blocked && is_pending() }
    }
}

impl Drop for WithoutSigpipe {
    fn drop(&mut self) {
        let (now, signals) = (libc::timespec { tv_sec: 0, tv_nsec: 0 }, sigpipe());
        // SAFETY: as above.
        unsafe {
            if !self.was_pending && is_pending() {
                libc::sigtimedwait(&raw const signals, std::ptr::null_mut(), &raw const now);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
