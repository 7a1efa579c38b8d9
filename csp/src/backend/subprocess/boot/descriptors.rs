//! ipc-channel makes some descriptors without `FD_CLOEXEC`: the connection that a server accepts,
//! and each copy of shared memory. Every program that is started would get them. They are marked as
//! soon as they exist. A program that another thread starts in that microsecond still gets them.
#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Marks the present descriptors, so that no program that is started from here on gets them.
pub(crate) fn keep() {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return };
    for entry in open.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        let Some(number) = number.filter(|number| *number > 2) else { continue };
        // SAFETY: it is open, or was a moment ago. If another thread has closed it meanwhile, the
        // system says so. A descriptor that has taken its place is checked before it is marked.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor)
            && !flags.contains(FdFlags::CLOEXEC)
            && is_of_ipc_channel(&entry.path(), descriptor)
        {
            // If it was closed just now, no program gets it.
            let _ = fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC);
        }
    }
}

fn is_of_ipc_channel(place: &Path, descriptor: BorrowedFd<'_>) -> bool {
    let Ok(what) = fs::read_link(place) else { return false };
    let what = what.to_string_lossy();
    what.starts_with("/memfd:/ipc-channel-shared-memory")
        || what.starts_with("socket:") && is_named_by_a_server(descriptor)
}

/// Returns whether the socket has the name of a one-shot server's, in a folder for temporary files.
fn is_named_by_a_server(socket: BorrowedFd<'_>) -> bool {
    let Ok(name) = rustix::net::getsockname(socket) else { return false };
    let Ok(name) = rustix::net::SocketAddrUnix::try_from(name) else { return false };
    let Some(path) = name.path() else { return false };
    let path = path.to_string_lossy();
    path.rsplit('/').next() == Some("socket") && path.contains("/.tmp")
}
