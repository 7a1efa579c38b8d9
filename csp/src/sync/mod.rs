//! Floor 1. The primitives that everything else is made of. This is the one place that lets in the models of
//! `loom`.
//!
//! [`Lock`] is a spinning word: one atomic exchange takes it, one store gives it back. If only one thread has used it,
//! even the exchange is left out (`word`). It guards a few dozen instructions at a time. It is never held across a
//! park, a user's `clone` or a user's `drop`. So a waiter spins for a moment and then lets the holder have the core.
#![allow(unsafe_code)]

pub(super) mod barrier;
#[cfg(loom)]
mod checked;
mod futex;
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(super) mod inbox;
#[cfg(loom)]
mod owners;
pub(super) mod planted;
#[allow(dead_code, reason = "for schedulers on several cores")]
pub(super) mod search;
pub(super) mod shown;
#[allow(dead_code, reason = "for schedulers on several cores")]
pub(super) mod stealing;
pub(super) mod word;

use std::ops::{Deref, DerefMut};

#[cfg(loom)]
pub(crate) use checked::{AtomicU32, Cell, UnsafeCell};
#[cfg(loom)]
use loom::sync::Condvar;
#[cfg(loom)]
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicUsize};
#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, fence},
    sync::{Mutex, MutexGuard},
    thread,
};
#[cfg(loom)]
use owners::AnyWord as Word;
#[cfg(loom)]
pub(crate) use owners::let_locks_have_owners;
#[cfg(not(loom))]
pub(crate) use shown::Shown;
#[cfg(all(not(loom), not(target_os = "linux")))]
use std::sync::Condvar;
#[cfg(not(loom))]
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicUsize};
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

/// A mark that changes under some lock, and may be looked at without it.
#[cfg(not(loom))]
pub(crate) struct Mark(AtomicBool);

#[cfg(not(loom))]
impl Mark {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, is_set: bool) {
        self.0.store(is_set, Ordering::Relaxed);
    }
}

/// In a model a look without the lock makes the model fail.
#[cfg(loom)]
pub(crate) struct Mark(Cell<bool>);

#[cfg(loom)]
impl Mark {
    pub(crate) fn new() -> Self {
        Self(Cell::new(false))
    }

    pub(crate) fn get(&self) -> bool {
        self.0.get()
    }

    pub(crate) fn set(&self, is_set: bool) {
        self.0.set(is_set);
    }
}

/// Waits a moment for another thread that is some instructions away from the end of its step.
pub(crate) fn spin() {
    #[cfg(loom)]
    loom::thread::yield_now();
    #[cfg(not(loom))]
    std::thread::yield_now();
}

/// The models, in which nobody looks, have a cell, because its content outlives an execution.
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
    /// Returns whether no other thread than this one has ever held it.
    fn is_alone(&self) -> bool;
    /// Begins to take it from the thread that made it, for good. Returns whether the caller has to [`finish`](Self::finish)
    /// that. A heavy barrier comes in between: see `stealing`.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    fn mark(&self) -> bool;
    #[allow(dead_code, reason = "for schedulers on several cores")]
    fn finish(&self);
    /// Lets it belong to no thread from now on, if it belongs to this one.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    fn give_up(&self);
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
// SAFETY: as above. A shared lock hands out the data only by exclusive turns.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

#[cfg(not(loom))]
std::thread_local! {
    /// Its address tells this thread from all others. It is even.
    static HERE: u16 = const { 0 };
}

/// Returns a number of this thread's own, while it lives.
#[inline(always)]
pub(crate) fn here() -> usize {
    #[cfg(not(loom))]
    return HERE.with(|here| std::ptr::from_ref(here).addr());
    #[cfg(loom)]
    return owners::here().unwrap_or(0);
}

#[inline(always)]
fn new_word(owned: bool) -> Word {
    #[cfg(not(loom))]
    return Word::new((owned && barrier::is_here()).then(here));
    #[cfg(loom)]
    return Word::new(owners::here().filter(|_| owned));
}

impl<T> Lock<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { word: new_word(false), data: UnsafeCell::new(data) }
    }

    /// Makes a lock for data that perhaps one thread alone comes to use: this one.
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

    /// Locks, for data that one thread had better take many times than two threads by turns. A thread that finds
    /// the lock taken looks again only after this many moments.
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

    #[inline(always)]
    fn is_alone(&self) -> bool {
        self.word.is_alone(here())
    }

    fn mark(&self) -> bool {
        self.word.mark()
    }

    fn finish(&self) {
        self.word.finish(here());
    }

    fn give_up(&self) {
        self.word.give_up(here());
    }

    #[cfg(loom)]
    fn number(&self) -> usize {
        self.word.number()
    }
}

/// Returns the rank of a lock. Threads that need several locks take them in the order of their ranks, which
/// are their addresses. In a model addresses differ from one execution to the next, and the order must not.
#[inline(always)]
pub(crate) fn lock_rank(lock: &dyn RawLock) -> usize {
    #[cfg(not(loom))]
    return std::ptr::from_ref(lock).addr();
    #[cfg(loom)]
    return lock.number();
}

/// Returns the same for atomic words.
#[inline(always)]
pub(crate) fn word_rank(word: &AtomicU32) -> usize {
    #[cfg(not(loom))]
    return std::ptr::from_ref(word).addr();
    #[cfg(loom)]
    return word.number();
}

/// A held [`Lock`]. It is released when this is dropped.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Guard<'_, T> {
    /// Returns whether no other thread than this one has ever held the lock.
    #[inline(always)]
    pub(crate) fn is_alone(&self) -> bool {
        self.lock.word.is_owned()
    }

    /// Releases a lock that [is alone](Self::is_alone), without asking for that again.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    #[inline(always)]
    pub(crate) fn release_alone(self) {
        std::mem::ManuallyDrop::new(self).lock.word.release_owned();
    }
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
