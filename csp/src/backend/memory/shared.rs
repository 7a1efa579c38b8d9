//! Bytes that several OS processes have mapped. A shared buffer is made of them.
//!
//! In front of the bytes stands the number of their holders, over all OS processes. Only a sole
//! holder may change the bytes. A killed holder stays counted, so nobody changes the bytes any
//! more.
#![allow(unsafe_code)]

use ipc_channel::ipc::IpcSharedMemory;
use std::io;
use std::panic::catch_unwind;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::backend::subprocess::boot::descriptors;

/// The size of the part in front of the bytes.
const FRONT: usize = 64;

#[derive(Clone)]
pub(crate) struct Memory(Arc<Mapping>);

struct Mapping {
    start: NonNull<u8>,
    /// The length of the bytes alone.
    length: usize,
    shared: IpcSharedMemory,
}

// SAFETY: it is memory and nothing else, and a holder that writes to it is the only one.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Returns `None` if the memory is too small for its supposed contents.
    fn new(mut shared: IpcSharedMemory, length: usize) -> Option<Self> {
        // SAFETY: the reference is gone at once.
        let all = unsafe { shared.deref_mut() };
        if all.len() < length.checked_add(FRONT)? {
            return None;
        }
        let mapping = Mapping { start: NonNull::new(all.as_mut_ptr())?, length, shared };
        mapping.holders().fetch_add(1, Ordering::Relaxed);
        Some(mapping)
    }

    fn holders(&self) -> &AtomicU32 {
        // SAFETY: mapped as long as this lives, at the beginning of a page, which is used as
        // nothing else.
        unsafe { self.start.cast().as_ref() }
    }

    fn bytes(&self) -> NonNull<u8> {
        // SAFETY: the mapping is longer than this.
        unsafe { self.start.add(FRONT) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // The work with the bytes is done before the next holder may change them.
        self.holders().fetch_sub(1, Ordering::Release);
    }
}

impl Memory {
    /// Makes memory that is all zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let whole = length.checked_add(FRONT).filter(|whole| *whole <= isize::MAX as usize);
        let whole = whole.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        may_have(whole)?;
        Self::of(shared(whole)?, length).ok_or_else(|| io::Error::other("too little shared memory"))
    }

    pub(in crate::backend) fn of(shared: IpcSharedMemory, length: usize) -> Option<Self> {
        Some(Self(Arc::new(Mapping::new(shared, length)?)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as this lives. Only a sole holder changes it.
        unsafe { NonNull::slice_from_raw_parts(self.0.bytes(), self.0.length).as_ref() }
    }

    /// Returns `None` if others hold it, here or elsewhere.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let mapping = Arc::get_mut(&mut self.0)?;
        if mapping.holders().load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: this is the only holder of this OS process, by the first line, and of all, by the
        // second. Others can get it only if it is cloned or packed up. Both take it by reference,
        // and that is lent out here.
        unsafe { Some(NonNull::slice_from_raw_parts(mapping.bytes(), mapping.length).as_mut()) }
    }

    /// Returns a mapping to be sent. It is not counted, because it is never looked at.
    pub(in crate::backend) fn to_send(&self) -> IpcSharedMemory {
        let memory = self.0.shared.clone();
        descriptors::keep();
        memory
    }
}

/// Returns new shared memory, all zero.
pub(in crate::backend) fn shared(length: usize) -> io::Result<IpcSharedMemory> {
    may_be_as_long(length)?;
    // ipc-channel panics if there is no memory.
    let shared = catch_unwind(|| IpcSharedMemory::from_byte(0, length));
    shared.map_err(|_| io::Error::other("no shared memory could be had"))
}

/// Returns an error if shared memory of this size may not be made. It counts as a file, and a file
/// above the limit ends the OS process by a signal.
pub(in crate::backend) fn may_be_as_long(bytes: usize) -> io::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| bytes as u64 > limit) {
        let text =
            format!("{bytes} bytes of shared memory are more than a file may have: `ulimit -f`");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(())
}

/// Returns an error unless there seem to be memory, addresses and descriptors for so many bytes.
fn may_have(bytes: usize) -> io::Result<()> {
    // One descriptor is for the memory, and one for another mapping of it that is sent.
    let _descriptors = [(); 2].map(|()| std::fs::File::open("/dev/null"));
    for descriptor in &_descriptors {
        if let Err(error) = descriptor {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
    }
    // SAFETY: a new mapping at an address of the system's choice, which is never touched.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let place = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0);
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::munmap(place, bytes);
    }
    // All of it will be written to. Memory that is lacking then ends the OS process.
    const LITTLE: usize = 16 << 20;
    if bytes > LITTLE && available().is_some_and(|available| bytes > available) {
        let text = format!("{bytes} bytes of shared memory are more than the system has");
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, text));
    }
    Ok(())
}

/// Returns the memory that the system says is available, in bytes.
fn available() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse::<usize>().ok()
    };
    let memory = kilobytes("MemAvailable:")?;
    Some(memory.saturating_add(kilobytes("SwapFree:").unwrap_or(0)).saturating_mul(1024))
}
