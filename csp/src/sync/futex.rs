//! Sleeping while a word is unchanged: the system's futex on Linux, a lock and a condition elsewhere.
//!
//! A futex needs no lock and nothing of its thread's own. So a copy made by `fork` meets no lock that a lost thread held, and a
//! thread that ends may sleep too.
#![allow(unsafe_code)]

use std::time::Instant;

use super::AtomicPtr;
#[cfg(any(loom, not(target_os = "linux")))]
use super::{Condvar, Mutex, Ordering};

/// The bell of one thread, which sleeps at one word. A futex needs no memory.
pub(super) struct Bell {
    #[cfg(any(loom, not(target_os = "linux")))]
    rung: (Mutex<()>, Condvar),
}

#[cfg(all(not(loom), target_os = "linux"))]
impl Bell {
    pub(super) fn new() -> Self {
        Self {}
    }

    /// Sleeps while the word is `expected`, until the bell is rung or the deadline comes. It may also wake for no reason. Words that
    /// differ do so in their lowest bits.
    pub(super) fn wait<T>(&self, word: &AtomicPtr<T>, expected: *mut T, deadline: Option<Instant>) {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let left = left.map(|left| libc::timespec {
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(left.subsec_nanos().cast_signed()),
        });
        let left = left.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word and the time outlive the call, which changes neither. It fails if the word has changed, the time is up
        // or a signal has come. In each case the caller looks again.
        unsafe {
            libc::syscall(libc::SYS_futex, lowest(word), operation, expected.addr() as u32, left);
        }
    }

    /// Wakes the thread that sleeps at the word, which has changed.
    pub(super) fn ring<T>(&self, word: &AtomicPtr<T>) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: it touches no memory.
        unsafe {
            libc::syscall(libc::SYS_futex, lowest(word), operation, 1);
        }
    }
}

/// Returns the place of the lowest bits of a word: a futex has 32.
#[cfg(all(not(loom), target_os = "linux"))]
fn lowest<T>(word: &AtomicPtr<T>) -> *const u32 {
    let first = word.as_ptr().cast_const().cast::<u32>();
    let behind = if cfg!(target_endian = "big") { size_of::<usize>() / 4 - 1 } else { 0 };
    first.wrapping_add(behind)
}

#[cfg(any(loom, not(target_os = "linux")))]
impl Bell {
    pub(super) fn new() -> Self {
        Self { rung: (Mutex::new(()), Condvar::new()) }
    }

    pub(super) fn wait<T>(&self, word: &AtomicPtr<T>, expected: *mut T, deadline: Option<Instant>) {
        // In a model a deadline has always come: every order of deadline and wake-up is explored.
        if cfg!(loom) && deadline.is_some() {
            return;
        }
        let (lock, rung) = &self.rung;
        let mut held = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while word.load(Ordering::Relaxed) == expected {
            let Some(deadline) = deadline else {
                held = rung.wait(held).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = rung.wait_timeout(held, left);
            held = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    pub(super) fn ring<T>(&self, _word: &AtomicPtr<T>) {
        let (lock, rung) = &self.rung;
        drop(lock.lock());
        rung.notify_one();
    }
}
