//! Guards that write a variable.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use super::late::{Defer, DeferAt, defer};
use super::write::{Write, WriteAt, write};
use crate::channel::Writer;
use crate::choice::guard::{Entry, Guard, LeftValue};

/// Chooses how a variable is written: copied before the choice if it is `Copy`, moved after it if not.
pub struct Place<'a, M>(pub &'a M);

impl<M: Copy> Place<'_, M> {
    /// `Copy`
    #[inline(always)]
    pub fn kind(&self) -> Now {
        Now
    }
}

/// Not known to be `Copy`.
pub trait Moves {
    /// Not known to be `Copy`.
    #[inline(always)]
    fn kind(&self) -> Later {
        Later
    }
}

impl<M> Moves for Place<'_, M> {}

/// See [`Place`].
pub struct Now;

impl Now {
    /// The value that is written: a copy. It is coerced on its way to `guard`, as an argument of a plain `write` is.
    #[inline(always)]
    pub fn take<M: Copy>(&self, variable: &M) -> M {
        *variable
    }

    /// A plain `write` of it.
    #[inline(always)]
    pub fn guard<'e, T>(&self, end: &'e Writer<T>, value: T, at: &'e WriteAt<T>) -> Copied<'e, T> {
        Copied(write(end, value, at))
    }
}

/// See [`Place`].
pub struct Later;

impl Later {
    /// The value that is written: nothing yet.
    #[inline(always)]
    pub fn take<M>(&self, _: &M) {}

    /// An output whose value stays with its variable until a reader has committed.
    pub fn guard<'e, T>(&self, end: &'e Writer<T>, (): (), at: &'e DeferAt<T>) -> Defer<'e, T> {
        defer(end, at)
    }
}

/// The guard of a value that was copied.
pub struct Copied<'a, T>(Write<'a, T>);

impl<T> Guard for Copied<'_, T> {
    type Left = LeftValue<Delivered>;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        self.0.offer()
    }

    #[inline(always)]
    fn keep(&mut self, left: &LeftValue<Delivered>) {
        left.parcel().put(Delivered);
    }
}

/// The value is with its reader already.
pub struct Delivered;

impl Delivered {
    /// Nothing is left to do.
    #[inline(always)]
    pub fn give_async<M>(self, _: M) -> std::future::Ready<()> {
        std::future::ready(())
    }

    /// Nothing is left to do.
    #[inline(always)]
    pub fn give<M>(self, _: M) {}
}
