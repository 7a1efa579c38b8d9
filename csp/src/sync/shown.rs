//! Data that one thread changes often and others look at now and then.
//!
//! The owner marks that it is changing the data, and then makes sure that no thread looks. A thread that looks says so, makes
//! every thread of the program pass a barrier, and waits until the mark is gone. As with a lock of one thread's own (`word`),
//! one of the two sees the other. The owner pays nothing but two stores, and a look takes some microseconds. On systems
//! without such a barrier, each side passes a barrier of its own.

#[cfg(loom)]
use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, fence},
};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, compiler_fence, fence},
};

use super::{Mutex, spin};

/// Belongs to one thread, which alone changes it and reads it plainly. As with a `Cell`, a reference to it may not be
/// given to another thread. A thread that has one all the same may [`look`](Self::look) there and do nothing else.
pub(crate) struct Shown<T> {
    /// Written by the owner only.
    changing: AtomicBool,
    /// Written by the thread that looks.
    looked_at: AtomicBool,
    /// One of them at a time.
    lookers: Mutex<()>,
    data: UnsafeCell<T>,
}

impl<T> Shown<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            changing: AtomicBool::new(false),
            looked_at: AtomicBool::new(false),
            lookers: Mutex::new(()),
            data: UnsafeCell::new(data),
        }
    }

    /// Replaces the data. The caller drops the old value, because that may take its time.
    #[inline(always)]
    pub(crate) fn replace(&self, data: T) -> T {
        self.changing.store(true, Ordering::Relaxed);
        light_barrier();
        if self.looked_at.load(Ordering::Acquire) {
            self.wait();
        }
        // SAFETY: only its own thread changes it or reads it plainly, and that thread is here. No thread looks, and one that
        // begins to look waits for the mark.
        let before = with_mut(&self.data, |shown| unsafe { std::mem::replace(&mut *shown, data) });
        self.changing.store(false, Ordering::Release);
        before
    }

    /// Waits until nobody looks.
    #[cold]
    fn wait(&self) {
        while self.looked_at.load(Ordering::Acquire) {
            self.changing.store(false, Ordering::Release);
            while self.looked_at.load(Ordering::Acquire) {
                spin();
            }
            self.changing.store(true, Ordering::Relaxed);
            light_barrier();
        }
    }

    /// Reads the data on its own thread.
    #[inline(always)]
    pub(crate) fn mine<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        // SAFETY: nobody else changes it, and this thread does not meanwhile: `replace` calls nothing.
        with(&self.data, |shown| read(unsafe { &*shown }))
    }

    /// Reads the data on its own thread, in a signal handler. Returns `None` if it is being
    /// changed.
    pub(crate) fn mine_now<R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        (!self.changing.load(Ordering::Relaxed)).then(|| self.mine(read))
    }

    /// Looks at the data from any other thread. Its own thread does not change it meanwhile, so the
    /// closure is brief.
    pub(crate) fn look<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        let _alone = self.lookers.lock().unwrap_or_else(PoisonError::into_inner);
        self.looked_at.store(true, Ordering::Relaxed);
        let _looking = Looking(&self.looked_at);
        heavy_barrier();
        while self.changing.load(Ordering::Acquire) {
            spin();
        }
        // SAFETY: it is not being changed, and not before the guard is dropped.
        with(&self.data, |shown| read(unsafe { &*shown }))
    }
}

struct Looking<'a>(&'a AtomicBool);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[inline(always)]
fn with<T, R>(data: &UnsafeCell<T>, f: impl FnOnce(*const T) -> R) -> R {
    #[cfg(not(loom))]
    return f(data.get());
    #[cfg(loom)]
    return data.with(f);
}

#[inline(always)]
fn with_mut<T, R>(data: &UnsafeCell<T>, f: impl FnOnce(*mut T) -> R) -> R {
    #[cfg(not(loom))]
    return f(data.get());
    #[cfg(loom)]
    return data.with_mut(f);
}

/// Orders the two sides as in `word`.
#[inline(always)]
fn light_barrier() {
    #[cfg(not(loom))]
    if super::barrier::is_here() {
        return compiler_fence(Ordering::SeqCst);
    }
    fence(Ordering::SeqCst);
}

fn heavy_barrier() {
    #[cfg(not(loom))]
    if super::barrier::is_here() {
        return super::barrier::pass();
    }
    fence(Ordering::SeqCst);
}
