//! The primitives as the models use them: each access is reported to `loom`, which finds accesses that
//! nothing orders.
//!
//! A primitive that dies reports that as a write, and is marked. So a model also fails if an access
//! comes too late: its process has gone on, and the stack that held the data is gone.
//!
//! A model that has failed unwinds, and `loom` must not be called then. So nothing is reported, a lock is
//! free, and an atomic step does nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use loom::sync::{Mutex, MutexGuard, atomic};

fn failed() -> bool {
    std::thread::panicking()
}

/// Returns a number. A later one is higher.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether the accessed value is still there.
struct Life(AtomicBool);

impl Life {
    fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    fn check(&self) {
        assert!(
            self.0.load(Ordering::Relaxed) || failed(),
            "accessed when its process had gone on"
        );
    }

    fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The accesses to something.
struct Accesses(loom::cell::UnsafeCell<()>);

impl Accesses {
    fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(()))
    }

    fn read(&self) {
        if !failed() {
            self.0.with(|_| ());
        }
    }

    fn write(&self) {
        if !failed() {
            self.0.with_mut(|_| ());
        }
    }
}

/// The part of `std::cell::UnsafeCell` that a lock needs.
pub(crate) struct UnsafeCell<T: ?Sized> {
    accesses: Accesses,
    value: std::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { accesses: Accesses::new(), value: std::cell::UnsafeCell::new(value) }
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub(crate) fn get(&self) -> *mut T {
        self.accesses.write();
        self.value.get()
    }
}

/// The part of `std::cell::Cell` that an offer needs.
pub(crate) struct Cell<T> {
    life: Life,
    accesses: Accesses,
    value: std::cell::Cell<T>,
}

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { life: Life::new(), accesses: Accesses::new(), value: std::cell::Cell::new(value) }
    }

    pub(crate) fn get(&self) -> T
    where
        T: Copy,
    {
        self.life.check();
        self.accesses.read();
        self.value.get()
    }

    pub(crate) fn replace(&self, new: T) -> T {
        self.life.check();
        self.accesses.write();
        self.value.replace(new)
    }

    pub(crate) fn set(&self, new: T) {
        drop(self.replace(new));
    }

    pub(crate) fn take(&self) -> T
    where
        T: Default,
    {
        self.replace(T::default())
    }
}

impl<T> Drop for Cell<T> {
    fn drop(&mut self) {
        self.life.end();
        self.accesses.write();
    }
}

/// The part of `std::sync::atomic::AtomicU32` that a waiter needs.
pub(crate) struct AtomicU32 {
    life: Life,
    word: atomic::AtomicU32,
    number: usize,
}

impl AtomicU32 {
    pub(crate) fn new(value: u32) -> Self {
        Self { life: Life::new(), word: atomic::AtomicU32::new(value), number: number() }
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.life.check();
        if failed() { 0 } else { self.word.load(order) }
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.life.check();
        if !failed() {
            self.word.store(value, order);
        }
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.life.check();
        if failed() { 0 } else { self.word.swap(value, order) }
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.life.check();
        if failed() { Err(0) } else { self.word.compare_exchange(current, new, success, failure) }
    }

    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.life.check();
        if failed() { 0 } else { self.word.fetch_add(value, order) }
    }

    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.life.check();
        if failed() { 0 } else { self.word.fetch_sub(value, order) }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for AtomicU32 {
    fn drop(&mut self) {
        self.life.end();
        if !failed() {
            self.word.with_mut(|_| ());
        }
    }
}

/// One word for all threads: `loom` explores a blocked mutex cheaply, and a spin loop not at all.
pub(crate) struct Word {
    mutex: Mutex<()>,
    guard: std::cell::UnsafeCell<Option<MutexGuard<'static, ()>>>,
    number: usize,
}

impl Word {
    pub(crate) fn new() -> Self {
        Self { mutex: Mutex::new(()), guard: std::cell::UnsafeCell::new(None), number: number() }
    }

    pub(crate) fn acquire(&self, _: usize, _: impl FnOnce() -> u32) {
        if !failed() {
            let guard = self.mutex.lock().unwrap();
            // SAFETY: the guard is dropped by `release`, before the mutex it borrows from can be. The cell is
            // touched only while the mutex is held.
            unsafe { *self.guard.get() = Some(std::mem::transmute(guard)) };
        }
    }

    pub(crate) fn release(&self) {
        // SAFETY: called by the holder only.
        let guard = unsafe { (*self.guard.get()).take() };
        if failed() {
            std::mem::forget(guard);
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }
}
