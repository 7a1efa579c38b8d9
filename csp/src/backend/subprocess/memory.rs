//! Bytes that several OS processes have mapped: what a shared buffer is made of, and how it travels.
//!
//! It stays with whoever packs it up (its *keeper*) until it is asked for or the value is destroyed on its way, which the keeper hears
//! of as of any channel: the value carries a reading end of a channel that nobody ever writes to. Whoever unpacks the value asks
//! the keeper for the memory, by the control channels, and drops that end when it has come.
//!
//! In front of the bytes stands how many hold them, over all OS processes: who is the only one may change them. Who is killed
//! stays counted, so that nobody changes them any more.
#![allow(unsafe_code)]

use std::io;
use std::panic::catch_unwind;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::carry;

/// What stands in front of the bytes.
const FRONT: usize = 64;

#[derive(Clone)]
pub(crate) struct Memory(Arc<Mapping>);

struct Mapping {
    start: NonNull<u8>,
    /// Of the bytes alone.
    length: usize,
    shared: IpcSharedMemory,
}

// SAFETY: it is memory and nothing else; who writes to it is alone with it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// None: it is too small for what is said to be in it.
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
        // SAFETY: mapped as long as this lives, at the beginning of a page; nothing else is ever made of it.
        unsafe { self.start.cast().as_ref() }
    }

    fn bytes(&self) -> NonNull<u8> {
        // SAFETY: the mapping is longer than this.
        unsafe { self.start.add(FRONT) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // What was done with the bytes is done before the next one may change them.
        self.holders().fetch_sub(1, Ordering::Release);
    }
}

impl Memory {
    /// All zero.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let whole = length.checked_add(FRONT).filter(|whole| *whole <= isize::MAX as usize);
        let whole = whole.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        may_have(whole)?;
        // Where there is none ipc-channel panics.
        let shared = catch_unwind(|| IpcSharedMemory::from_byte(0, whole));
        let shared = shared.map_err(|_| io::Error::other("no shared memory could be had"))?;
        Self::of(shared, length).ok_or_else(|| io::Error::other("too little shared memory"))
    }

    fn of(shared: IpcSharedMemory, length: usize) -> Option<Self> {
        Some(Self(Arc::new(Mapping::new(shared, length)?)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as this lives, and changed by nobody who is not the only one who holds it.
        unsafe { NonNull::slice_from_raw_parts(self.0.bytes(), self.0.length).as_ref() }
    }

    /// None: others hold it, here or elsewhere.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let mapping = Arc::get_mut(&mut self.0)?;
        if mapping.holders().load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: this is the only one of this OS process, by the first line, and of all, by the second. It comes to others only
        // by being cloned or packed up, both of which take it by reference, which is lent out here.
        unsafe { Some(NonNull::slice_from_raw_parts(mapping.bytes(), mapping.length).as_mut()) }
    }

    /// To be sent: one more mapping of it, which is not counted, for it is never looked at.
    pub(super) fn to_send(&self) -> IpcSharedMemory {
        self.0.shared.clone()
    }
}

/// Whether there seem to be memory, addresses and descriptors for so many bytes.
fn may_have(bytes: usize) -> io::Result<()> {
    // One for the memory, one for another mapping of it that is sent.
    let _descriptors = [(); 2].map(|()| std::fs::File::open("/dev/null"));
    for descriptor in &_descriptors {
        if let Err(error) = descriptor {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
    }
    // SAFETY: a new mapping, where the system likes, that is never touched.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let place = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0);
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::munmap(place, bytes);
    }
    // All of it is written to; what then is not there ends the OS process.
    const LITTLE: usize = 16 << 20;
    if bytes > LITTLE && available().is_some_and(|available| bytes > available) {
        let text = format!("{bytes} bytes of shared memory are more than the system has");
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, text));
    }
    Ok(())
}

/// What the system says that it could give, in bytes.
fn available() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse::<usize>().ok()
    };
    let memory = kilobytes("MemAvailable:")?;
    Some(memory.saturating_add(kilobytes("SwapFree:").unwrap_or(0)).saturating_mul(1024))
}

/// What stands for it among the bytes of a value.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// The place of its end among the tokens.
    place: u32,
    length: usize,
}

/// In a value that is written to a channel, and among the arguments or in the result of a process, it goes along without being
/// copied; with any other serializer it is bytes.
impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match carry::attach(self) {
            Some(place) => Packed { place, length: self.0.length }.serialize(serializer),
            None => serializer.serialize_bytes(self.bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !carry::is_unpacking() {
            return deserializer.deserialize_byte_buf(crate::backend::from_bytes::FromBytes);
        }
        let Packed { place, length } = Packed::deserialize(deserializer)?;
        let Some((node, token)) = carry::detach(place) else {
            return Err(de::Error::custom("this buffer is not in the value"));
        };
        let memory = node.fetch(token).and_then(|fetched| match fetched {
            super::node::Fetched::Here(memory) => Ok(memory),
            super::node::Fetched::Sent(shared) => {
                Memory::of(shared, length).ok_or_else(|| "it is shorter than it was".to_owned())
            }
        });
        // Its keeper may let go of it.
        node.drop_end(token.channel, token.direction);
        memory
            .map_err(|reason| de::Error::custom(format!("a shared buffer did not come: {reason}")))
    }
}
