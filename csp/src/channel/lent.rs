//! A channel that is borrowed from one of its ends.
//!
//! Invariant: [`Lent`] is used while the end that it came from is borrowed. One case is different: an operation that was forgotten. There
//! only a look uses it that has found the offer in a queue of the channel (see `wait::future::Look`).
#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use super::core::Core;
use crate::sync::Arc;

/// A channel, by a counted share or borrowed.
pub trait ToCore<T>: Deref<Target = Core<T>> {
    /// Returns a share of its own.
    fn counted(&self) -> Arc<Core<T>>;
}

impl<T> ToCore<T> for Arc<Core<T>> {
    #[inline(always)]
    fn counted(&self) -> Self {
        Self::clone(self)
    }
}

/// The channel of an end that is borrowed. It points at what the end points at, because the end may move or go when an operation was
/// forgotten, which is still looked at.
#[allow(missing_debug_implementations, reason = "nobody outside sees it")]
pub struct Lent<'a, T>(NonNull<Core<T>>, PhantomData<&'a Core<T>>);

impl<T> Clone for Lent<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lent<'_, T> {}

impl<'a, T> Lent<'a, T> {
    #[inline(always)]
    pub(crate) fn of(core: &'a Arc<Core<T>>) -> Self {
        // SAFETY: a pointer to what an `Arc` holds is not null.
        Self(unsafe { NonNull::new_unchecked(Arc::as_ptr(core).cast_mut()) }, PhantomData)
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = Core<T>;

    #[inline(always)]
    fn deref(&self) -> &Core<T> {
        // SAFETY: see the invariant. The end has a share.
        unsafe { self.0.as_ref() }
    }
}

impl<T> ToCore<T> for Lent<'_, T> {
    #[inline]
    fn counted(&self) -> Arc<Core<T>> {
        // SAFETY: it came from an `Arc`, of which the end that was borrowed has a share.
        unsafe {
            Arc::increment_strong_count(self.0.as_ptr());
            Arc::from_raw(self.0.as_ptr())
        }
    }
}

/// A channel that is lent to a place, which is there before the end is looked at and longer than the end is borrowed.
///
/// Invariant: it is used by a guard only, which borrows the place and the end. The end was lent before, and no other is.
pub(crate) struct LentLater<T>(Cell<*const Core<T>>);

impl<T> LentLater<T> {
    /// Nothing is lent yet.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    #[inline(always)]
    pub(crate) fn lend(&self, core: &Arc<Core<T>>) {
        let before = self.0.replace(Arc::as_ptr(core));
        assert!(before.is_null(), "a guard may stand here already");
    }
}

impl<T> Deref for LentLater<T> {
    type Target = Core<T>;

    #[inline(always)]
    fn deref(&self) -> &Core<T> {
        // SAFETY: see the invariant; the end has a share.
        unsafe { &*self.0.get() }
    }
}

impl<T> ToCore<T> for LentLater<T> {
    #[inline]
    fn counted(&self) -> Arc<Core<T>> {
        // SAFETY: it came from an `Arc`, of which the end that is borrowed has a share.
        unsafe {
            Arc::increment_strong_count(self.0.get());
            Arc::from_raw(self.0.get())
        }
    }
}
