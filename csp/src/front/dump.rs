//! The network, printed when a signal asks for it: `SIGQUIT` (`ctrl-\`) or `SIGUSR1`.
//!
//! The handler does nothing except write a byte, for which a thread of the library's own waits.
#![allow(unsafe_code)]

use std::io::{ErrorKind, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::system::helper::Helper;
use crate::system::{forked, quiet, stderr};

/// The socket to which the handler writes.
static TOLD: AtomicI32 = AtomicI32::new(-1);
/// The generation that has a thread for it.
static PRINTS_IN: AtomicU32 = AtomicU32::new(0);

extern "C" fn tell(_: libc::c_int) {
    // SAFETY: `write` is allowed in a handler, and so is `errno`, which the interrupted code may be
    // about to read.
    unsafe {
        // A copy made by `fork` has the same socket, and no thread of its own that would print.
        if forked::generation() != PRINTS_IN.load(Ordering::Relaxed) {
            return;
        }
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
/// On other systems its place is not known. A call that is interrupted may show the error of the
/// handler's own.
#[cfg(not(any(
    target_os = "linux",
    target_os = "emscripten",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "android",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
unsafe fn errno() -> *mut libc::c_int {
    static UNKNOWN: AtomicI32 = AtomicI32::new(0);
    UNKNOWN.as_ptr()
}

/// Makes these signals print the network from now on. Without a thread or a socket they do what
/// they did before.
pub(crate) fn on_signal() {
    static PRINTER: Helper = Helper::new("csp dump", 512 << 10);
    if !PRINTER.runs() {
        let Ok((read, write)) = UnixStream::pair() else { return };
        // The handler must not wait. A thread that is told twice prints once.
        let _ = write.set_nonblocking(true);
        if PRINTER.need(move || print_when_told(read)).is_err() {
            return;
        }
        TOLD.store(write.into_raw_fd(), Ordering::Relaxed);
        PRINTS_IN.store(forked::generation(), Ordering::Relaxed);
        for signal in [libc::SIGQUIT, libc::SIGUSR1] {
            // SAFETY: an action of zeros is a valid one, and the handler does only what is allowed
            // in one.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = tell as extern "C" fn(libc::c_int) as libc::sighandler_t;
                action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
                libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            }
        }
    }
}

fn print_when_told(mut told: UnixStream) {
    quiet::ignore_this_thread();
    while is_told(&mut told) {
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
        stderr::say(text);
    }
}

/// Waits until it is told. Returns false if nobody will tell any more.
fn is_told(told: &mut UnixStream) -> bool {
    loop {
        match told.read(&mut [0; 64]) {
            Ok(count) => return count > 0,
            // Other handlers may not ask for calls to go on.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::thread::JoinHandleExt as _;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    static SIGNALS: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn count(_: libc::c_int) {
        SIGNALS.fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn another_signal_does_not_end_who_waits_for_one() {
        // SAFETY: an action of zeros is a valid one, which interrupts calls, and the handler only
        // counts.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
            libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut());
        }
        let (mut told, tell) = UnixStream::pair().unwrap();
        let waits = thread::spawn(move || is_told(&mut told));
        while SIGNALS.load(Ordering::SeqCst) < 100 && !waits.is_finished() {
            // SAFETY: the thread has not been joined.
            unsafe { libc::pthread_kill(waits.as_pthread_t(), libc::SIGUSR2) };
            thread::yield_now();
        }
        assert!(!waits.is_finished(), "nobody has told it anything");
        drop(tell);
        assert!(!waits.join().unwrap(), "nobody will");
    }
}
