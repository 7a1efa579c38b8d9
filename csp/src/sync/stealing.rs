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
//! Without `membarrier` both pass a fence of their own. The owner learns of that by the word at which it looks anyway.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use super::barrier;
use super::planted::is_planted;
use super::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, UnsafeCell, fence, spin};

/// In `taken`: another thread is at the data.
const TAKEN: usize = 1;

/// Beside it: there is no `membarrier`, so the owner passes a fence before it believes this word.
const FENCED: usize = 2;

pub(crate) struct Stealing<T> {
    /// Written by the owner only.
    in_use: AtomicBool,
    /// [`TAKEN`] and [`FENCED`]. Written by the holder of `others` only.
    taken: AtomicUsize,
    others: Mutex<()>,
    data: UnsafeCell<T>,
}

// SAFETY: one thread at a time is at the data, by the invariant.
unsafe impl<T: Send> Sync for Stealing<T> {}

/// The data, as its owner uses it. The others wait until this is dropped.
pub(crate) struct Owned<'a, T>(&'a Stealing<T>);

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

impl<T> Drop for Owned<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.in_use.store(false, leaving());
    }
}

/// The data, as another thread uses it.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.store(self.0.load(Ordering::Relaxed) & !TAKEN, leaving());
    }
}

/// Returns the order in which the data is marked as free.
#[inline(always)]
fn leaving() -> Ordering {
    if is_planted("taken back early") { Ordering::Relaxed } else { Ordering::Release }
}

impl<T> Stealing<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            in_use: AtomicBool::new(false),
            taken: AtomicUsize::new(if barrier::is_here() { 0 } else { FENCED }),
            others: Mutex::new(()),
            data: UnsafeCell::new(data),
        }
    }

    /// Begins to use the data. Only the owner calls this, and only once at a time.
    #[inline(always)]
    pub(crate) fn own(&self) -> Owned<'_, T> {
        self.in_use.store(true, Ordering::Relaxed);
        #[cfg(not(loom))]
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
        if self.taken.load(Ordering::Acquire) != 0 {
            self.wait_for_others();
        }
        Owned(self)
    }

    /// The same, to look only.
    #[inline(always)]
    pub(crate) fn look(&self) -> Owned<'_, T> {
        self.own()
    }

    /// Returns when nobody takes from the data, which is marked as in use.
    #[cold]
    #[inline(never)]
    fn wait_for_others(&self) {
        loop {
            if !is_planted("the owner passes no barrier") {
                light_barrier();
            }
            let taken = self.taken.load(Ordering::Acquire) & TAKEN != 0;
            if !taken || is_planted("the owner does not look") {
                return;
            }
            self.in_use.store(false, Ordering::Release);
            // The other thread holds this for as long as it takes.
            drop(self.others());
            self.in_use.store(true, Ordering::Relaxed);
        }
    }

    fn others(&self) -> MutexGuard<'_, ()> {
        self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes from the data. Any thread except the owner calls this.
    pub(crate) fn take<R>(&self, from: impl FnOnce(&mut T) -> R) -> R {
        let one = self.others();
        self.taken.store(self.taken.load(Ordering::Relaxed) | TAKEN, Ordering::Relaxed);
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
