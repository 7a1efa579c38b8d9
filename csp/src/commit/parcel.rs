//! Where a value stands on its way.
//!
//! A value moves by pointer, from one [`Parcel`] into another, and each of these moves is one copy. So the stack that an operation needs
//! grows by few times the size of its value, in a build without optimisation too. There each value that is passed or returned has a
//! place of its own, and what is inlined adds its places to those of its caller. Hence [`Parcel::empty`] and its like are not inlined there.
//!
//! Invariant: of a parcel whose sign says that it is full, the value is there, and nowhere else.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, needs_drop};
use std::ptr;
use std::task::Poll;

use crate::sync::Cell;

/// An option with the sign apart, so that it can stand where there is room.
pub(crate) struct Parcel<T> {
    is_full: Cell<bool>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Parcel<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn empty() -> Self {
        Self { is_full: Cell::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn full(value: T) -> Self {
        let parcel = Self::empty();
        parcel.put(value);
        parcel
    }

    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Moves the value, if there is one, into another parcel.
    #[inline(always)]
    pub(crate) fn pass(&self, to: &Self) -> bool {
        let full = self.is_full.replace(false);
        if full {
            to.clear();
            // SAFETY: the value is here, and from now on only there. No reference to what is in a cell is ever kept.
            unsafe { ptr::copy_nonoverlapping(self.value.get(), to.value.get(), 1) };
            to.is_full.set(true);
        }
        full
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn put(&self, value: T) {
        self.clear();
        // SAFETY: nothing is here, and nobody else looks.
        unsafe { self.value.get().cast::<T>().write(value) };
        self.is_full.set(true);
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn take(&self) -> Option<T> {
        // SAFETY: it is full, and from now on it is not.
        self.is_full.replace(false).then(|| unsafe { self.value.get().cast::<T>().read() })
    }

    /// The value, which is there.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn open(&self) -> T {
        assert!(self.is_full.replace(false), "there is a value");
        // SAFETY: it was full, and is so no longer.
        unsafe { self.value.get().cast::<T>().read() }
    }

    /// The value, if it `came`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn given<E>(&self, came: Result<(), E>) -> Result<T, E> {
        match came {
            Ok(()) => Ok(self.open()),
            Err(end) => Err(end),
        }
    }

    /// The same for a future.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn given_at_last<E>(&self, came: Result<(), E>) -> Poll<Result<T, E>> {
        Poll::Ready(self.given(came))
    }

    /// Does something with the value in its place.
    #[inline(always)]
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        // SAFETY: it is full, and stays so until the call returns: nobody else has the parcel meanwhile.
        self.is_full.get().then(|| look(unsafe { (*self.value.get()).assume_init_ref() }))
    }

    #[inline(always)]
    pub(crate) fn clear(&self) {
        if needs_drop::<T>() && self.is_full.replace(false) {
            // SAFETY: it was full, and is so no longer.
            unsafe { (*self.value.get()).assume_init_drop() };
        }
    }
}

impl<T> Drop for Parcel<T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.clear();
    }
}
