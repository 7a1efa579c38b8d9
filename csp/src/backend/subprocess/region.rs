//! A piece of memory that several processes have mapped. Only two things are ever in it: atomics, and bytes that are
//! copied out before they are looked at.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Part of a mapping, which stays mapped as long as any part of it is held.
#[derive(Clone)]
pub(crate) struct Region {
    start: NonNull<u8>,
    length: usize,
    _mapping: Arc<dyn Send + Sync>,
}

// SAFETY: it hands out nothing but atomics and copies of bytes; the mapping may be let go of anywhere.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// # Safety
    /// `length` bytes at `start` stay readable and writable as long as `mapping` lives, and nobody makes a reference to
    /// them but through a `Region`.
    pub(crate) unsafe fn new(
        start: NonNull<u8>,
        length: usize,
        mapping: Arc<dyn Send + Sync>,
    ) -> Self {
        assert!(start.addr().get().is_multiple_of(128), "mappings begin at pages");
        Region { start, length, _mapping: mapping }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The part of `length` bytes at `offset`, if it lies within and is aligned for what stands in shared memory.
    pub(crate) fn part(&self, offset: usize, length: usize) -> Option<Region> {
        let end = offset.checked_add(length)?;
        if end > self.length || !offset.is_multiple_of(128) {
            return None;
        }
        // SAFETY: within the region, by the line above.
        let start = unsafe { self.start.add(offset) };
        Some(Region { start, length, _mapping: Arc::clone(&self._mapping) })
    }

    /// The beginning, as a structure of atomics.
    ///
    /// # Safety
    /// `T` is `repr(C)`, consists of atomics and padding, and any bytes are a `T`.
    pub(crate) unsafe fn header<T>(&self) -> &T {
        assert!(size_of::<T>() <= self.length);
        assert!(self.start.cast::<T>().is_aligned());
        // SAFETY: in bounds and aligned; any bytes are a `T`, and atomics may change under a shared reference.
        unsafe { self.start.cast::<T>().as_ref() }
    }

    /// A word at `offset`, a multiple of 8.
    #[inline(always)]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < self.length && self.length - offset >= 8);
        // SAFETY: in bounds and aligned, for a region begins at a multiple of 128. Who copies bytes to the same place does so
        // while nobody else looks at it; a peer that does not keep to that breaks its own messages only.
        unsafe { self.start.add(offset).cast().as_ref() }
    }

    /// Copies `from` to `offset`. The caller alone writes there, and nobody reads until told by an atomic.
    #[inline(always)]
    pub(crate) fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset.checked_add(from.len()).is_some_and(|end| end <= self.length));
        // SAFETY: in bounds. A peer that reads before it is told, or writes here, breaks its own messages only: what is
        // read from a region is copied out and believed of nothing.
        unsafe {
            self.start.add(offset).copy_from_nonoverlapping(NonNull::from(from).cast(), from.len())
        }
    }

    /// Appends `length` bytes at `offset` to `to`.
    #[inline(always)]
    pub(crate) fn read(&self, offset: usize, length: usize, to: &mut Vec<u8>) {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length));
        to.reserve(length);
        // SAFETY: in bounds on both sides; the reserved bytes are initialised before the length says so. Whatever a
        // peer does to the source meanwhile, bytes come of it.
        unsafe {
            let end = to.as_mut_ptr().add(to.len());
            end.copy_from_nonoverlapping(self.start.add(offset).as_ptr(), length);
            to.set_len(to.len() + length);
        }
    }
}

#[cfg(test)]
impl Region {
    /// Memory of this process, as a stand-in.
    pub(crate) fn private(length: usize) -> Self {
        #[repr(align(128))]
        #[derive(Clone, Copy)]
        struct Block(#[expect(dead_code, reason = "only its size and place matter")] [u8; 128]);
        struct Mapping(#[expect(dead_code, reason = "held to keep it")] *mut [Block]);
        // SAFETY: never touched but through the region.
        unsafe impl Send for Mapping {}
        // SAFETY: as above.
        unsafe impl Sync for Mapping {}

        let blocks = vec![Block([0; 128]); length.div_ceil(128)].into_boxed_slice();
        let blocks = Box::into_raw(blocks);
        let start = NonNull::new(blocks.cast::<u8>()).expect("a place in memory");
        // SAFETY: leaked: it stays for ever, and only this region knows of it.
        unsafe { Region::new(start, length, Arc::new(Mapping(blocks))) }
    }
}
