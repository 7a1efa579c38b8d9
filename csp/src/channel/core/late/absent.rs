//! The stand-in for lines: there are none.

use std::marker::PhantomData;

/// Whether a reader may be told of a value that is ahead.
pub(in crate::channel::core) const IS_POSSIBLE: bool = false;

/// No reader is told.
pub(crate) struct ToldReaders<T>(PhantomData<fn(T)>);

#[rustfmt::skip]
impl<T> ToldReaders<T> {
    #[inline(always)]
    pub(in crate::channel::core) const fn nobody() -> Self { Self(PhantomData) }
    #[inline(always)]
    #[allow(clippy::unused_self, reason = "as the other one")]
    pub(crate) fn wake(self) {}
}

/// No reader stands in a line.
pub(in crate::channel::core) struct Late<T>(PhantomData<fn(T)>);

#[rustfmt::skip]
#[allow(clippy::unused_self, reason = "as the other one")]
impl<T> Late<T> {
    pub(in crate::channel::core) const fn new() -> Self { Self(PhantomData) }
    #[inline(always)]
    pub(in crate::channel::core) fn is_on(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::channel::core) fn is_ahead(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::channel::core) fn is_told(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::channel::core) fn is_awaited(&self) -> bool { false }
    #[inline(always)]
    pub(in crate::channel::core) fn tell_all(&mut self) {}
}
