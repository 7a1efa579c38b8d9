//! A waiter that its committer holds until it gives the token.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::gate::Gate;
use super::waiter::Waiter;
use super::word::{Either, Word};
use crate::sync::Arc;

/// A writer whose value was taken and which waits until it is released: its waiter, or the gate that it awaits.
#[must_use = "the writer waits until it is released"]
pub(crate) struct Held(pub(super) Word);

// SAFETY: all that is done with it is to unpark, which any thread may do.
unsafe impl Send for Held {}
// SAFETY: as above. A shared reference does nothing.
unsafe impl Sync for Held {}

impl Held {
    pub(super) fn waits(waiter: NonNull<Waiter>) -> Self {
        Self(Word::of(waiter))
    }

    pub(super) fn awaits(gate: Arc<Gate>) -> Self {
        Self(Word::of_share(gate))
    }

    pub(super) fn unpack(self) -> Either<Waiter, Gate> {
        // SAFETY: it is made of one of these, above, and ends here.
        unsafe { self.0.unpack() }
    }

    /// Lets the writer go on. This is called once, as the last thing that is done with it.
    pub(crate) fn release(&self) {
        match Self(self.0).unpack() {
            // SAFETY: the waiter is committed and not yet woken, so it waits.
            Either::Left(waiter) => unsafe { waiter.as_ref() }.wake(),
            Either::Right(gate) => gate.open(),
        }
    }

    /// Forgets it, because no writer waits after all.
    pub(super) fn forget(self) {
        drop(self.unpack());
    }
}
