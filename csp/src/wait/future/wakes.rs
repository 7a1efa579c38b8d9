//! Wakers of other executors: they are the user's code, which runs when no lock is held.
//!
//! Invariant: a stranger is in one list at most. Its operation was committed then, and is committed once.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::PoisonError;
use std::task::Waker;

use crate::sync::{Arc, Mutex, MutexGuard};

/// Runs a waker's code, which is the user's. A panic of it has been reported by the hook, and goes no further: the process that
/// wakes another has nothing to do with it.
pub(crate) fn apart(run: impl FnOnce()) {
    if cfg!(loom) {
        return run();
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run))
        && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // That would go on for as long as it likes.
        std::mem::forget(again);
    }
}

/// How an operation is woken if another holder of its waker polls it: another executor, or a process that polls its
/// parts by itself.
#[repr(align(8))]
pub(crate) struct Stranger {
    /// `None` if it stands and does not know of the waker yet, or if it was woken.
    waker: Mutex<Option<Waker>>,
    /// The one that is to be woken after it. Only the thread that has committed its operation touches this. No cell of the models, because
    /// they do not see the count of the `Arc`, which orders that with its end.
    next: Cell<*const Self>,
}

// SAFETY: one thread at a time touches `next`, see there, and it shows no more than where another stranger is.
unsafe impl Send for Stranger {}
// SAFETY: as above.
unsafe impl Sync for Stranger {}

impl Stranger {
    pub(crate) fn new() -> Self {
        Self { waker: Mutex::new(None), next: Cell::new(ptr::null()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a share in it.
    ///
    /// # Safety
    /// It is in an `Arc`, of which somebody has a share meanwhile.
    pub(crate) unsafe fn share(&self) -> Arc<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            Arc::increment_strong_count(self);
            Arc::from_raw(self)
        }
    }

    /// Wakes it, once: the waker is taken.
    pub(crate) fn wake(&self) {
        let waker = self.lock().take();
        if let Some(waker) = waker {
            apart(|| waker.wake());
        }
    }
}

/// Strangers that were committed under a lock: they are woken when this is dropped, which is when no lock is held.
#[must_use = "they are woken when it is dropped, and that is to be behind the lock"]
pub(crate) struct Wakes(*const Stranger);

// SAFETY: shares in strangers, which any thread may have.
unsafe impl Send for Wakes {}

impl Wakes {
    /// Makes an empty list.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(ptr::null())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// Adds those of another.
    #[inline(always)]
    pub(crate) fn append(&mut self, mut others: Self) {
        if !others.is_empty() {
            let mut in_order = Self::new();
            while let Some(stranger) = others.pop() {
                in_order.push(stranger);
            }
            while let Some(stranger) = in_order.pop() {
                self.push(stranger);
            }
        }
    }

    pub(crate) fn push(&mut self, stranger: Arc<Stranger>) {
        stranger.next.set(self.0);
        self.0 = Arc::into_raw(stranger);
    }

    fn pop(&mut self) -> Option<Arc<Stranger>> {
        // SAFETY: put there by `push`.
        let stranger = (!self.is_empty()).then(|| unsafe { Arc::from_raw(self.0) })?;
        self.0 = stranger.next.replace(ptr::null());
        Some(stranger)
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self) {
        // The first to come are woken first.
        let mut in_order = Self::new();
        while let Some(stranger) = self.pop() {
            in_order.push(stranger);
        }
        while let Some(stranger) = in_order.pop() {
            stranger.wake();
            apart(|| drop(stranger));
        }
    }
}

impl Drop for Wakes {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_empty() {
            self.wake();
        }
    }
}
