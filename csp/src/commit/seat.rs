//! A place for one waiter.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::waiter::Waiter;
use crate::sync::Guard;
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// Where one process waits for something that the lock around it decides.
pub(crate) struct Seat(pub(super) Option<NonNull<Waiter>>);

// SAFETY: what sits there is committed and unparked under the lock, by whatever thread.
unsafe impl Send for Seat {}

impl Seat {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Waits in the seat until it is called.
    pub(crate) fn wait<S>(
        context: &'static Context,
        mut state: Guard<'_, S>,
        seat: impl FnOnce(&mut S) -> &mut Self,
        why: &dyn Blocked,
    ) {
        let waiter = Waiter::single(context);
        let seat = seat(&mut state);
        assert!(seat.0.is_none(), "one process at a time waits here");
        seat.0 = Some(NonNull::from(&waiter));
        drop(state);
        waiter.wait_in(context, why, None);
    }

    /// Lets go whoever waits here.
    pub(crate) fn call(&mut self, later: &mut Wakes) {
        if let Some(waiter) = self.0.take() {
            // SAFETY: who sits there waits until it is woken.
            let waiter = unsafe { waiter.as_ref() };
            waiter.commit(0);
            waiter.wake_later(later);
        }
    }
}
