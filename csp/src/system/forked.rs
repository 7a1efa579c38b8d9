//! Copies that `fork` makes of this OS process: a copy has one thread, and all memory as it was.
//!
//! Invariant: a value latched for a [`generation`] is latched for one OS process. Its copies find another generation and begin anew.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::system::shared::{AtomicPtr, AtomicU32};

/// One more than the number of forks between the first OS process and this one, counted from the first call of [`watch`].
static GENERATION: AtomicU32 = AtomicU32::new(1);

/// Returns a number that differs from that of the OS process that this one was copied from. It is
/// never 0.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Returns whether this OS process is such a copy.
#[inline]
pub(crate) fn is_copy() -> bool {
    generation() > 1
}

/// The function that a copy begins with, on its one thread.
static BEGIN: OnceLock<fn()> = OnceLock::new();

/// Has `begin` called first of all in each copy, on its one thread. It may lock nothing, because lost threads may hold any lock.
#[inline]
pub(crate) fn begin_copies(begin: fn()) {
    if BEGIN.get().is_none() {
        let _ = BEGIN.set(begin);
        watch();
    }
}

/// Sees to it that copies made from now on are told apart.
pub(crate) fn watch() {
    #[cfg(unix)]
    {
        unsafe extern "C" {
            fn pthread_atfork(
                prepare: Option<extern "C" fn()>,
                parent: Option<extern "C" fn()>,
                child: Option<extern "C" fn()>,
            ) -> libc::c_int;
        }
        extern "C" fn in_copy() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            if let Some(begin) = BEGIN.get() {
                begin();
            }
        }
        static WATCHED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        if !WATCHED.swap(true, Ordering::Relaxed) {
            // SAFETY: the handler only changes a number, which may be done in a copy of a program with threads.
            unsafe { pthread_atfork(None, None, Some(in_copy)) };
        }
    }
}

/// A value that each OS process makes for itself, so that a copy never meets a lock that a lost thread held.
pub(crate) struct Afresh<T: 'static> {
    now: AtomicPtr<(u32, T)>,
}

impl<T: Sync> Afresh<T> {
    pub(crate) const fn new() -> Self {
        Self { now: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Returns the value of this OS process, made by `make` at the first call. Two threads may make it at once, and one is
    /// dropped.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &'static T {
        let generation = generation();
        let before = self.now.load(Ordering::Acquire);
        // SAFETY: the stored value was leaked, and is only ever shared.
        if let Some((made_for, value)) = unsafe { before.as_ref() }
            && *made_for == generation
        {
            return value;
        }
        watch();
        let fresh = Box::into_raw(Box::new((generation, make())));
        match self.now.compare_exchange(before, fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it is leaked from here on. The value of the OS process that was copied stays as it is.
            Ok(_) => unsafe { &(*fresh).1 },
            Err(other) => {
                // SAFETY: nobody else has seen the fresh one. Another thread of this process has stored `other` for good.
                unsafe {
                    drop(Box::from_raw(fresh));
                    &(*other).1
                }
            }
        }
    }
}

#[cfg(all(test, unix, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gets_a_value_of_its_own() {
        static VALUE: Afresh<u32> = Afresh::new();
        assert_eq!((*VALUE.get(|| 1), *VALUE.get(|| 2)), (1, 1));
        let before = generation();
        // SAFETY: the copy only looks, and ends without any destructor.
        let status = unsafe {
            let copy = libc::fork();
            if copy == 0 {
                let right = generation() != before && *VALUE.get(|| 3) == 3;
                libc::_exit(i32::from(!right));
            }
            let mut status = 0;
            libc::waitpid(copy, &raw mut status, 0);
            status
        };
        assert_eq!((status, *VALUE.get(|| 4), generation()), (0, 1, before));
    }
}
