//! The state that a sleeping thread shows of itself.
//!
//! Invariant: a thread that shows something is parked, and stays so while the lock is held.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::wait::blocked::Blocked;

/// Where a thread shows why it is parked.
pub(crate) struct Sleeping(Mutex<Option<Shown>>);

pub(crate) struct Shown {
    why: NonNull<dyn Blocked>,
    deadline: Option<Instant>,
}

// SAFETY: the value it points at is used under the mutex only, and only read.
unsafe impl Send for Shown {}

/// Hides the wait that was shown.
pub(crate) struct Hide<'a>(&'a Sleeping);

impl Sleeping {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn show<'a>(&'a self, why: &'a dyn Blocked, deadline: Option<Instant>) -> Hide<'a> {
        if !cfg!(loom) {
            // SAFETY: only the lifetime changes, and the guard that is returned hides it in time.
            let why = unsafe {
                std::mem::transmute::<NonNull<dyn Blocked + '_>, NonNull<dyn Blocked>>(
                    NonNull::from(why),
                )
            };
            *self.lock() = Some(Shown { why, deadline });
        }
        Hide(self)
    }

    /// Keeps the thread where it is, if it sleeps.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hide<'_> {
    fn drop(&mut self) {
        if !cfg!(loom) {
            *self.0.lock() = None;
        }
    }
}

/// A thread that can't go on meanwhile.
pub(crate) struct Look<'a>(MutexGuard<'a, Option<Shown>>);

impl Look<'_> {
    /// Returns what it waits for, and until when.
    pub(crate) fn why(&self) -> Option<(&dyn Blocked, Option<Instant>)> {
        // SAFETY: it is shown, and can't be hidden while the lock is held. The thread sleeps, so
        // its data there changes only under the locks of channels.
        self.0.as_ref().map(|shown| (unsafe { shown.why.as_ref() }, shown.deadline))
    }
}
