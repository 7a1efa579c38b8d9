//! A process that stands with one offer in one queue.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;

use super::held::Held;
use super::offer::Offer;
use super::parcel::Parcel;
use super::queue::line::{ReaderLine, Stamp};
use super::queue::{Count, Queue};
use super::waiter::{Outcome, Waiter};
use crate::sync::Guard;
use crate::wait::blocked::Blocked;
use crate::wait::park::Context;

/// The offer of a guard. A guard is made for each choice and often stands nowhere, so no more is written than is needed.
enum Stood<T> {
    Nothing,
    /// The guard has a value, and has never stood.
    Value(Parcel<T>),
    Offer(Offer<T>),
}

/// Where an alternation's guard keeps the offer that it stands with.
pub(crate) struct Standing<T>(UnsafeCell<Stood<T>>);

impl<T> Standing<T> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(Stood::Nothing))
    }

    /// Makes the offer and puts it into a queue, with what is in the [parcel](Self::parcel).
    ///
    /// # Safety
    /// See [`Queue::push`]. No offer of this guard stands already.
    pub(crate) unsafe fn stand<C: Count>(
        &self,
        queue: &mut Queue<T, C>,
        waiter: &Waiter,
        index: u32,
        extended: bool,
    ) {
        // SAFETY: no offer stands, so nobody else uses the cell. Afterwards it stays as it is.
        let stood = unsafe { &mut *self.0.get() };
        match stood {
            Stood::Offer(offer) => offer.is_of(waiter, index, extended),
            Stood::Nothing => *stood = Stood::Offer(Offer::new(waiter, index, extended)),
            Stood::Value(value) => {
                let offer = Offer::new(waiter, index, extended);
                value.pass(&offer.value);
                *stood = Stood::Offer(offer);
            }
        }
        if let Stood::Offer(offer) = stood {
            // SAFETY: the caller's promise.
            unsafe { queue.push(offer) };
        }
    }

    /// Returns the parcel of the offer, which is there also while the offer stands nowhere.
    #[inline(always)]
    pub(crate) fn parcel(&self) -> &Parcel<T> {
        // SAFETY: as in `offer`.
        match unsafe { &*self.0.get() } {
            Stood::Offer(offer) => &offer.value,
            Stood::Value(value) => value,
            Stood::Nothing => self.unstood(),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn unstood(&self) -> &Parcel<T> {
        // SAFETY: nothing is there, and so no reference to it.
        let stood = unsafe { &mut *self.0.get() };
        *stood = Stood::Value(Parcel::empty());
        match stood {
            Stood::Value(value) => value,
            _ => unreachable!("as set"),
        }
    }

    /// Takes the offer out of the queue, if it is still in.
    pub(crate) fn withdraw<C: Count>(&self, queue: &mut Queue<T, C>) {
        if let Some(offer) = self.offer() {
            queue.remove(offer);
        }
    }

    /// Returns whether an offer stands in its queue. Then the owner of the queue is there.
    pub(crate) fn stands(&self) -> bool {
        self.offer().is_some_and(|offer| offer.queued.get())
    }

    /// Returns the offer that stood last.
    pub(crate) fn offer(&self) -> Option<&Offer<T>> {
        // SAFETY: written by `stand` and `unstood` only, when no offer stands and no reference to one is kept.
        match unsafe { &*self.0.get() } {
            Stood::Offer(offer) => Some(offer),
            Stood::Nothing | Stood::Value(_) => None,
        }
    }
}

/// Stands with one offer in one queue until it is taken or the channel ends. `state` is what the
/// channel's lock guards, and `queue` the queue in it. A writer gives the value in the parcel. Afterwards the parcel has the value that
/// a reader was given, or that a writer keeps because it was not served. The `waiter` is the caller's, which asks it for the outcome
/// if it needs that. Returns the writer that waits for the end of an extended read.
#[inline(always)]
pub(crate) fn stand<T, S, C: Count>(
    context: &'static Context,
    waiter: &Waiter,
    state: Guard<'_, S>,
    queue: impl FnOnce(&mut S) -> &mut Queue<T, C>,
    value: &Parcel<T>,
    extended: bool,
    why: &dyn Blocked,
) -> Option<Held> {
    stand_and(context, waiter, state, queue, drop, value, extended, why)
}

/// Does the same, and releases the lock in this way once it stands.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a value in a struct would be in memory")]
pub(crate) fn stand_and<'a, T, S, C: Count>(
    context: &'static Context,
    waiter: &Waiter,
    mut state: Guard<'a, S>,
    queue: impl FnOnce(&mut S) -> &mut Queue<T, C>,
    release: impl FnOnce(Guard<'a, S>),
    value: &Parcel<T>,
    extended: bool,
    why: &dyn Blocked,
) -> Option<Held> {
    let offer = Offer::new(waiter, 0, extended);
    let gives = value.pass(&offer.value);
    // SAFETY: neither moves, and `settle` returns when the offer has left the queue and not before.
    unsafe { queue(&mut state).push(&offer) };
    release(state);
    waiter.settle(context, why);
    if !gives || !waiter.is_committed() {
        offer.value.pass(value);
    }
    offer.held()
}

/// Does [`stand`] for a reader in a line, where it came at the moment `stamp`. It goes to the head of the line if it has been there
/// before.
#[allow(dead_code, reason = "for schedulers on several cores")]
pub(crate) fn stand_in_line<T, S>(
    context: &'static Context,
    mut state: Guard<'_, S>,
    line: impl FnOnce(&mut S) -> &mut ReaderLine<T>,
    (stamp, again): (Stamp, bool),
    to: &Parcel<T>,
    why: &dyn Blocked,
) -> Outcome {
    let waiter = Waiter::single(context);
    let offer = Offer::new(&waiter, 0, false);
    // SAFETY: neither moves, and `settle` returns when the offer has left the line and not before.
    unsafe { line(&mut state).push(&offer, stamp, again) };
    drop(state);
    waiter.settle(context, why);
    offer.value.pass(to);
    waiter.outcome()
}
