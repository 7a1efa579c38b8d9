//! The signal by which programs of C end whose output nobody reads any more.
#![allow(unsafe_code)]

/// Lets this OS process end by `SIGPIPE`. Programs in Rust get an error instead.
#[cfg(unix)]
pub fn die_by_broken_pipes() {
    // SAFETY: no handler is set that could do anything.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
