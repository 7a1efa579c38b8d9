//! A barrier that every thread of the program passes, at the cost of the calling thread
//! (`membarrier`, Linux 4.14).
//!
//! `CSP_MEMBARRIER=off` in the environment does without it, and so does a build for ThreadSanitizer, which cannot see it.

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use here::{is_here, pass};

#[cfg(all(target_os = "linux", not(loom)))]
#[allow(unsafe_code)]
mod here {
    use std::sync::OnceLock;

    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: it touches no memory.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Returns whether the system has one.
    #[inline]
    pub(crate) fn is_here() -> bool {
        static HERE: OnceLock<bool> = OnceLock::new();
        *HERE.get_or_init(|| {
            let is_off = std::env::var_os("CSP_MEMBARRIER").is_some_and(|value| value == "off");
            !cfg!(csp_tsan) && !is_off && membarrier(REGISTER_PRIVATE_EXPEDITED)
        })
    }

    /// Returns after each thread has passed a full barrier since the call. To be called only if
    /// [`is_here`].
    pub(crate) fn pass() {
        if !membarrier(PRIVATE_EXPEDITED) {
            // Nobody could be sure of anything.
            crate::system::stderr::last_words(
                "csp: the system call `membarrier` was allowed before and is not any more\n",
            );
            std::process::abort();
        }
    }
}

/// Returns false, because there is no such barrier: no lock belongs to a thread.
#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) fn is_here() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) fn pass() {
    unreachable!("only where it is here");
}
