//! The network, printed when a signal asks for it: `SIGQUIT` (ctrl-\\) or `SIGUSR1`.
//!
//! The handler does nothing but write a byte, which a thread of the library's own waits for.
#![allow(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::quiet;

/// Where the handler writes.
static TOLD: AtomicI32 = AtomicI32::new(-1);

extern "C" fn tell(_: libc::c_int) {
    // SAFETY: `write` is allowed in a handler, and so is `errno`, which whoever was interrupted may be about to read.
    unsafe {
        let errno = errno();
        let before = *errno;
        libc::write(TOLD.load(Ordering::Relaxed), [1_u8].as_ptr().cast(), 1);
        *errno = before;
    }
}

#[cfg(any(target_os = "linux", target_os = "emscripten"))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always valid, for this thread.
    unsafe { libc::__errno_location() }
}
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always valid, for this thread.
    unsafe { libc::__error() }
}
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always valid, for this thread.
    unsafe { libc::__errno() }
}

/// From now on these signals print the network. Without a thread or a socket they do what they did before.
pub(crate) fn dump() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok((read, write)) = UnixStream::pair() else { return };
        // The handler must not wait; who is told twice prints once.
        let _ = write.set_nonblocking(true);
        let printer = std::thread::Builder::new().name("csp signals".into());
        if printer.spawn(move || print_when_told(read)).is_err() {
            return;
        }
        TOLD.store(write.into_raw_fd(), Ordering::Relaxed);
        for signal in [libc::SIGQUIT, libc::SIGUSR1] {
            // SAFETY: an action of zeros is a valid one, and the handler does only what is allowed in one.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = tell as extern "C" fn(libc::c_int) as libc::sighandler_t;
                action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
    });
}

fn print_when_told(mut told: UnixStream) {
    quiet::ignore_this_thread();
    let mut bytes = [0; 64];
    while told.read(&mut bytes).is_ok_and(|count| count > 0) {
        let network = crate::network();
        let mut text = match std::env::var("CSP_DUMP").as_deref() {
            Ok("dot") => network.dot(),
            Ok("mermaid") => network.mermaid(),
            Ok("json") => network.json(),
            _ => network.to_string(),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
