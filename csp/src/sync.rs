//! The primitives everything else is made of, and the one place where the models of `loom` are let in.
//!
//! [`Lock`] is a spinning word: one atomic exchange to take it, one store to give it back; not even the exchange where
//! only one thread has used it (`word`). It guards a few dozen instructions at a time and is never held across a
//! park, a user's `clone` or a user's `drop`, so a waiter spins for a moment and then lets the holder have the core.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

#[cfg(not(loom))]
use crate::backend::slab;

#[cfg(loom)]
mod checked;
#[cfg_attr(loom, allow(dead_code, reason = "a model of its own takes it"))]
pub(crate) mod shown;
#[cfg_attr(loom, allow(dead_code, reason = "a model of its own takes it"))]
pub(crate) mod word;

#[cfg(loom)]
use checked::Word;
#[cfg(loom)]
pub(crate) use checked::{AtomicU32, Cell, UnsafeCell};
#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, fence},
    sync::{Mutex, MutexGuard},
    thread,
};
#[cfg(not(loom))]
pub(crate) use shown::Shown;
pub(crate) use std::sync::{Arc, atomic::Ordering};
#[cfg(not(loom))]
pub(crate) use std::{
    cell::{Cell, UnsafeCell},
    sync::atomic::{AtomicBool, AtomicU32, fence},
    sync::{Mutex, MutexGuard},
    thread,
};
#[cfg(not(loom))]
use word::Word;

/// `thread_local!`, of `std` or of `loom`.
#[cfg(not(loom))]
macro_rules! per_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        std::thread_local! { $(#[$meta])* static $name: $type = const { $init }; }
    };
}
#[cfg(loom)]
macro_rules! per_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr;) => {
        loom::thread_local! { $(#[$meta])* static $name: $type = $init; }
    };
}
pub(crate) use per_thread;

/// Waits a moment for another thread that is some instructions away from the end of what it does.
pub(crate) fn spin() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::thread::yield_now();
}

/// The models, in which nobody looks, have a cell, because what is kept in it outlives an execution.
#[cfg(loom)]
pub(crate) struct Shown<T>(std::cell::RefCell<T>);

#[cfg(loom)]
impl<T> Shown<T> {
    pub(crate) fn new(data: T) -> Self {
        Self(std::cell::RefCell::new(data))
    }

    pub(crate) fn replace(&self, data: T) -> T {
        self.0.replace(data)
    }

    pub(crate) fn mine<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.borrow())
    }

    pub(crate) fn mine_now<R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok().map(|shown| read(&shown))
    }

    pub(crate) fn look<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        self.mine(read)
    }
}

/// Has the cache line at `at` fetched, which is going to be used soon. Nothing is read, and `at` need not be good.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which touches no memory that the program can tell.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Locking without a guard: what an alternation does to many channels at once.
pub(crate) trait RawLock {
    fn acquire(&self);
    /// # Safety
    /// The caller acquired it, and has not released it since.
    unsafe fn release(&self);
    #[cfg(loom)]
    fn number(&self) -> usize;
}

/// Begins with a cache line.
#[repr(align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

impl<T> Deref for Aligned<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// Data behind a spinning word, and right behind it.
#[repr(C)]
pub(crate) struct Lock<T: ?Sized> {
    word: Word,
    data: UnsafeCell<T>,
}

// SAFETY: the word lets one thread at a time at the data.
unsafe impl<T: ?Sized + Send> Send for Lock<T> {}
// SAFETY: as above; a shared lock hands out the data only by exclusive turns.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

#[cfg(not(loom))]
std::thread_local! {
    /// Its address tells this thread from all others.
    static HERE: u8 = const { 0 };
}

/// A number of this thread's own, while it lives.
#[inline(always)]
pub(crate) fn here() -> usize {
    #[cfg(not(loom))]
    return HERE.with(|here| std::ptr::from_ref(here).addr());
    #[cfg(loom)]
    return 0;
}

#[inline(always)]
fn new_word(owned: bool) -> Word {
    #[cfg(not(loom))]
    return Word::new((owned && slab::barrier::is_here()).then(here));
    #[cfg(loom)]
    return {
        let _ = owned;
        Word::new()
    };
}

impl<T> Lock<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { word: new_word(false), data: UnsafeCell::new(data) }
    }

    /// For what one thread alone may come to use: this one.
    pub(crate) fn owned(data: T) -> Self {
        Self::owned_if(true, data)
    }

    pub(crate) fn owned_if(owned: bool, data: T) -> Self {
        Self { word: new_word(owned), data: UnsafeCell::new(data) }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.word.acquire(here(), Word::hurried);
        Guard { lock: self }
    }

    /// For a lock that one thread had better take many times than two by turns: one that finds it taken looks again
    /// after so many moments only.
    #[inline(always)]
    pub(crate) fn lock_unhurried(&self, moments: impl FnOnce() -> u32) -> Guard<'_, T> {
        self.word.acquire(here(), moments);
        Guard { lock: self }
    }

    /// The data of a lock that the caller holds by [`RawLock::acquire`].
    ///
    /// # Safety
    /// The lock is held by the caller, and no other reference to the data is alive.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub(crate) unsafe fn held(&self) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.data.get() }
    }
}

impl<T> RawLock for Lock<T> {
    #[inline(always)]
    fn acquire(&self) {
        self.word.acquire(here(), Word::hurried);
    }

    #[inline(always)]
    unsafe fn release(&self) {
        self.word.release();
    }

    #[cfg(loom)]
    fn number(&self) -> usize {
        self.word.number()
    }
}

/// Where a lock stands in the order in which those who need several take them: that of their addresses. In a
/// model these differ from one execution to the next, and the order must not.
#[inline(always)]
pub(crate) fn lock_rank(lock: &dyn RawLock) -> usize {
    #[cfg(not(loom))]
    return std::ptr::from_ref(lock).addr();
    #[cfg(loom)]
    return lock.number();
}

/// The same for atomic words.
#[inline(always)]
pub(crate) fn word_rank(word: &AtomicU32) -> usize {
    #[cfg(not(loom))]
    return std::ptr::from_ref(word).addr();
    #[cfg(loom)]
    return word.number();
}

/// A [`Lock`] held; released when dropped.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so the word is ours.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists and is borrowed exclusively, so the word is ours.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.word.release();
    }
}
