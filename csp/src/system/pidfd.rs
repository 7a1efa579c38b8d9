//! A descriptor that stands for a child. It is ready to read when the child has ended, and no other process can be mistaken for the child.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::process::Child;

/// Makes the descriptor of a child that nobody has waited for yet.
///
/// # Errors
/// The errors of the system. Linux has such descriptors since 5.3.
pub(crate) fn open(child: &Child) -> io::Result<OwnedFd> {
    let number = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: the call takes two numbers. It returns a descriptor that nobody else has, or an error.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_open, number, 0) {
            descriptor @ 0.. => Ok(OwnedFd::from_raw_fd(descriptor as RawFd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
