//! Locks whose data stays whole when a thread that holds them panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also if a thread has panicked with the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
