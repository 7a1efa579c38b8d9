//! Data that belongs to one thread, and from which others take now and then.
//!
//! Invariant: the thread that is at the data is the owner, which has marked `in_use`, or it holds `others` and has marked
//! `taken`.
//!
//! The owner exchanges nothing atomically. It marks the data as in use and then makes sure that nobody takes from it. The
//! other thread marks it as taken, has every thread of the program pass a barrier, and waits until the owner has gone. Each writes
//! before it reads, so one of the two sees the other. The idea is that of [`word`](super::word). Unlike there the owner stays the
//! owner.
//!
//! Without `membarrier` both pass a fence of their own.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use super::barrier;
use super::planted::is_planted;
use super::{AtomicBool, Mutex, MutexGuard, Ordering, UnsafeCell, fence, spin};

pub(crate) struct Stealing<T> {
    /// Written by the owner only.
    in_use: AtomicBool,
    /// Written by the holder of `others` only.
    taken: AtomicBool,
    others: Mutex<()>,
    data: UnsafeCell<T>,
}

// SAFETY: one thread at a time is at the data, by the invariant.
unsafe impl<T: Send> Sync for Stealing<T> {}

/// The data, as its owner uses it. The others wait until this is dropped.
pub(crate) struct Owned<'a, T>(&'a Stealing<T>, Leaves<'a>);

impl<T> Deref for Owned<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the data is marked as in use, and was not marked as taken afterwards.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for Owned<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this is borrowed exclusively.
        unsafe { &mut *self.0.data.get() }
    }
}

/// Marks the data as free when it is dropped.
struct Leaves<'a>(&'a AtomicBool);

impl Drop for Leaves<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let order =
            if is_planted("taken back early") { Ordering::Relaxed } else { Ordering::Release };
        self.0.store(false, order);
    }
}

impl<T> Stealing<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            in_use: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            others: Mutex::new(()),
            data: UnsafeCell::new(data),
        }
    }

    /// Begins to use the data. Only the owner calls this, and only once at a time.
    #[inline(always)]
    pub(crate) fn own(&self) -> Owned<'_, T> {
        self.in_use.store(true, Ordering::Relaxed);
        if !is_planted("the owner passes no barrier") {
            light_barrier();
        }
        if self.taken.load(Ordering::Acquire) && !is_planted("the owner does not look") {
            self.wait_for_others();
        }
        Owned(self, Leaves(&self.in_use))
    }

    /// The same, to look only.
    #[inline(always)]
    pub(crate) fn look(&self) -> Owned<'_, T> {
        self.own()
    }

    /// Marks the data as in use when nobody takes from it.
    #[cold]
    #[inline(never)]
    fn wait_for_others(&self) {
        loop {
            self.in_use.store(false, Ordering::Release);
            // The other thread holds this for as long as it takes.
            drop(self.others());
            self.in_use.store(true, Ordering::Relaxed);
            light_barrier();
            if !self.taken.load(Ordering::Acquire) {
                return;
            }
        }
    }

    fn others(&self) -> MutexGuard<'_, ()> {
        self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes from the data. Any thread except the owner calls this.
    pub(crate) fn take<R>(&self, from: impl FnOnce(&mut T) -> R) -> R {
        let one = self.others();
        self.taken.store(true, Ordering::Relaxed);
        if !is_planted("the thief passes no barrier") {
            heavy_barrier();
        }
        while self.in_use.load(Ordering::Acquire) && !is_planted("the thief does not wait") {
            spin();
        }
        let leaves = Leaves(&self.taken);
        // SAFETY: it is marked as taken, and the owner has seen that or has gone.
        let result = from(unsafe { &mut *self.data.get() });
        drop(leaves);
        drop(one);
        result
    }
}

/// Orders this thread with one that passes the heavy barrier: see [`word`](super::word).
#[inline(always)]
pub(crate) fn light_barrier() {
    #[cfg(not(loom))]
    if barrier::is_here() {
        return std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }
    fence(Ordering::SeqCst);
}

pub(crate) fn heavy_barrier() {
    if barrier::is_here() {
        return barrier::pass();
    }
    fence(Ordering::SeqCst);
}
