//! One word that says in which state a waiter is, and to what it was committed.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use crate::sync::Arc;

/// The place of something, or a share in it, in one word. Nothing is dropped with it. So processes with stacks, which never have a share,
/// have nothing to look for in the end.
#[derive(Clone, Copy)]
pub(super) struct Word(NonNull<()>);

/// The other of the two, as it was put into a [`Word`].
pub(super) enum Either<L, R> {
    Left(NonNull<L>),
    Right(Arc<R>),
}

impl Word {
    const SHARE: usize = 1;

    /// Returns it as it is kept in the place of a neighbour.
    pub(super) fn written<T>(self) -> *const T {
        self.0.as_ptr().cast_const().cast()
    }

    #[inline(always)]
    pub(super) fn read<T>(written: *const T) -> Option<Self> {
        NonNull::new(written.cast_mut()).map(|place| Self(place.cast()))
    }

    pub(super) fn of<L>(place: NonNull<L>) -> Self {
        const { assert!(align_of::<L>() > Self::SHARE) };
        Self(place.cast())
    }

    pub(super) fn of_share<R>(share: Arc<R>) -> Self {
        const { assert!(align_of::<R>() > Self::SHARE) };
        let place = Arc::into_raw(share).map_addr(|address| address | Self::SHARE);
        // SAFETY: it is no null pointer.
        Self(unsafe { NonNull::new_unchecked(place.cast_mut()) }.cast())
    }

    /// # Safety
    /// It was made of one of the two, and a share is taken out of it once.
    pub(super) unsafe fn unpack<L, R>(self) -> Either<L, R> {
        if self.0.addr().get() & Self::SHARE == 0 {
            return Either::Left(self.0.cast());
        }
        let place = self.0.as_ptr().map_addr(|address| address & !Self::SHARE);
        // SAFETY: it is the share that was put into it, by the caller's promise.
        Either::Right(unsafe { Arc::from_raw(place.cast::<R>()) })
    }
}

/// A share that its owner takes out, or leaves for ever: nothing is dropped with it.
pub(crate) struct Slot<T>(std::cell::Cell<Option<NonNull<T>>>);

impl<T> Slot<T> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(std::cell::Cell::new(None))
    }

    pub(crate) fn put(&self, share: Arc<T>) {
        self.0.set(NonNull::new(Arc::into_raw(share).cast_mut()));
    }

    pub(crate) fn take(&self) -> Option<Arc<T>> {
        // SAFETY: it was put there, and is taken once.
        self.0.take().map(|share| unsafe { Arc::from_raw(share.as_ptr()) })
    }
}
