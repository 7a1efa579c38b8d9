//! A piece of memory that several processes have mapped. It only ever holds two things: atomics,
//! and bytes that are copied out before they are looked at.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A part of a mapping, which stays mapped as long as any part of it is held.
#[derive(Clone)]
pub(in crate::backend::subprocess) struct Region {
    start: NonNull<u8>,
    length: usize,
    _mapping: Arc<dyn Send + Sync>,
}

// SAFETY: it hands out only atomics and copies of bytes. The mapping may be dropped on any thread.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// # Safety
    /// `length` bytes at `start` stay readable and writable as long as `mapping` lives. References
    /// to them are made through a `Region` only.
    pub(in crate::backend::subprocess) unsafe fn new(
        start: NonNull<u8>,
        length: usize,
        mapping: Arc<dyn Send + Sync>,
    ) -> Self {
        assert!(start.addr().get().is_multiple_of(128), "mappings begin at pages");
        Region { start, length, _mapping: mapping }
    }

    pub(in crate::backend::subprocess) fn len(&self) -> usize {
        self.length
    }

    /// Returns the part of `length` bytes at `offset`, if it lies within and is aligned for the
    /// structures in shared memory.
    pub(in crate::backend::subprocess) fn part(
        &self,
        offset: usize,
        length: usize,
    ) -> Option<Region> {
        let end = offset.checked_add(length)?;
        if end > self.length || !offset.is_multiple_of(128) {
            return None;
        }
        // SAFETY: within the region, by the line above.
        let start = unsafe { self.start.add(offset) };
        Some(Region { start, length, _mapping: Arc::clone(&self._mapping) })
    }

    /// Returns the beginning, as a structure of atomics.
    ///
    /// # Safety
    /// `T` is `repr(C)`, consists of atomics and padding, and any bytes are a `T`.
    pub(in crate::backend::subprocess) unsafe fn header<T>(&self) -> &T {
        assert!(size_of::<T>() <= self.length);
        assert!(self.start.cast::<T>().is_aligned());
        // SAFETY: in bounds and aligned. Any bytes are a `T`, and atomics may change under a shared
        // reference.
        unsafe { self.start.cast::<T>().as_ref() }
    }

    /// Returns the word at `offset`, a multiple of 8.
    #[inline(always)]
    pub(in crate::backend::subprocess) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < self.length && self.length - offset >= 8);
        // SAFETY: in bounds and aligned, because a region begins at a multiple of 128. Code that
        // copies bytes to the same place does so while no other thread looks at it. A peer that
        // breaks this rule breaks its own messages only.
        unsafe { self.start.add(offset).cast().as_ref() }
    }

    /// Copies `from` to `offset`. The caller alone writes there, and nobody reads until told by an
    /// atomic.
    #[inline(always)]
    pub(in crate::backend::subprocess) fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset.checked_add(from.len()).is_some_and(|end| end <= self.length));
        // SAFETY: in bounds. A peer that reads before it is told, or writes here, breaks its own
        // messages only. Bytes that are read from a region are copied out and checked.
        unsafe {
            self.start.add(offset).copy_from_nonoverlapping(NonNull::from(from).cast(), from.len())
        }
    }

    /// Appends `length` bytes at `offset` to `to`.
    #[inline(always)]
    pub(in crate::backend::subprocess) fn read(
        &self,
        offset: usize,
        length: usize,
        to: &mut Vec<u8>,
    ) {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length));
        to.reserve(length);
        // SAFETY: in bounds on both sides. The reserved bytes are initialised before the length
        // says so. The result is bytes, whatever a peer does to the source meanwhile.
        unsafe {
            let end = to.as_mut_ptr().add(to.len());
            end.copy_from_nonoverlapping(self.start.add(offset).as_ptr(), length);
            to.set_len(to.len() + length);
        }
    }
}

#[cfg(test)]
impl Region {
    /// Returns memory of this process, as a stand-in.
    pub(in crate::backend::subprocess) fn private(length: usize) -> Self {
        #[repr(align(128))]
        #[derive(Clone, Copy)]
        struct Block(#[expect(dead_code, reason = "only its size and place matter")] [u8; 128]);
        struct Mapping(#[expect(dead_code, reason = "held to keep it")] *mut [Block]);
        // SAFETY: never touched except through the region.
        unsafe impl Send for Mapping {}
        // SAFETY: as above.
        unsafe impl Sync for Mapping {}

        let blocks = vec![Block([0; 128]); length.div_ceil(128)].into_boxed_slice();
        let blocks = Box::into_raw(blocks);
        let start = NonNull::new(blocks.cast::<u8>()).expect("a place in memory");
        // SAFETY: leaked: it stays for ever, and only this region knows it.
        unsafe { Region::new(start, length, Arc::new(Mapping(blocks))) }
    }
}
