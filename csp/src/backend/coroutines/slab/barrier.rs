//! A barrier that every thread of the program passes, at the cost of the one that wants it (`membarrier`, Linux 4.14).

use std::sync::OnceLock;

const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: it touches no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Whether there is one here.
#[inline]
pub(crate) fn is_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    *HERE.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED))
}

/// When it returns, each thread has passed a full barrier since it was called. Only where [`is_here`].
pub(crate) fn pass() {
    if !membarrier(PRIVATE_EXPEDITED) {
        // Nobody could be sure of anything.
        eprintln!("csp: the system call `membarrier` was allowed before and is not any more");
        std::process::abort();
    }
}
