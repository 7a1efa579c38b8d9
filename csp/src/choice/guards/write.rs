//! The guard that writes a value which is there.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::Cell;
use std::panic::Location;
use std::task::{Poll, Waker};

use super::at_channel::{AtChannel, idle};
use crate::channel::Writer;
use crate::channel::core::{Placed, Placing, State};
use crate::channel::far::{Done, Doubt, Post};
use crate::channel::lent::LentLater;
use crate::choice::guard::{Before, Entry, Guard, Stand, Tried};
use crate::commit::gate::Gate;
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::waiter::Waiter;
use crate::commit::word::Slot;
use crate::report::termination::Termination;
use crate::sync::RawLock;
use crate::wait::blocked::{Side, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;
use crate::wait::quietly::drop_quietly;

/// Where a guard `end.write(value)` stands, with the value.
pub struct WriteAt<T> {
    at: AtChannel<T, LentLater<T>>,
    /// The reader that `attempt` has committed, for `finish`.
    partner: Cell<Option<Partner<T>>>,
    /// The end of the extended read that has the value, which it awaits.
    gate: Slot<Gate>,
    /// The value may have been read although it is here.
    doubt: Cell<Option<Doubt>>,
}

impl<T> Default for WriteAt<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        // In one expression: a variable would be one place more for the value in `at`.
        Self {
            at: AtChannel::new(LentLater::new()),
            partner: Cell::new(None),
            gate: Slot::new(),
            doubt: Cell::new(None),
        }
    }
}

/// The guard `end.write(value)`.
pub struct Write<'a, T>(&'a WriteAt<T>);

/// The guard `end.write(value)`.
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn write<'a, T>(end: &'a Writer<T>, value: T, at: &'a WriteAt<T>) -> Write<'a, T> {
    at.at.core().lend(end.core());
    at.parcel().put(value);
    Write(at)
}

impl<T> WriteAt<T> {
    #[inline(always)]
    fn perform(&self, state: &mut State<T>) -> Tried {
        match state.place(self.parcel(), Placing::Offer) {
            Placed::With(reader) => self.partner.set(Some(reader)),
            // Other locks may be held, too, so those that are told are woken at once.
            Placed::InBuffer(told) => told.wake(),
            Placed::Nowhere => return idle(state),
        }
        Tried::Performed
    }

    /// Takes the value back, if it was not written.
    pub(crate) fn unwritten(&self) -> Option<T> {
        self.parcel().take()
    }

    /// Returns whether the value may have been read although it was not written.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.doubt.get()
    }

    /// The value, until it is written: in the offer.
    #[inline(always)]
    fn parcel(&self) -> &Parcel<T> {
        self.at.standing.parcel()
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the channel's lock.
unsafe impl<T> Stand for WriteAt<T> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.at.core().state())
    }

    #[inline]
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        let tried = self.perform(&mut self.at.core().state().lock());
        if tried == Tried::Performed {
            self.finish(context, place);
        }
        tried
    }

    fn try_after(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        before: &dyn Before,
    ) -> Option<Tried> {
        let tried = self.at.try_after(Side::Writer, before, |state| self.perform(state))?;
        if tried == Tried::Performed {
            self.finish(context, place);
        }
        Some(tried)
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        // SAFETY: the lock is held, and nothing else uses the state meanwhile.
        self.perform(unsafe { self.at.core().state().held() })
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.at.look(Side::Writer) }
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.at.stand(Side::Writer, waiter, index, false) };
    }

    fn withdraw(&self) {
        self.at.withdraw(Side::Writer);
    }

    #[inline]
    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool {
        if let Some(reader) = self.partner.take() {
            if reader.is_extended() {
                self.at.core().serve_extended(context, reader, place);
            } else {
                reader.wake();
            }
        }
        true
    }

    fn is_packing(&self) -> bool {
        self.at.core().is_packing()
    }

    fn post(&self, context: &'static Context) -> Result<Option<Post>, Termination> {
        let Some(far) = self.at.core().away_now() else { return Ok(None) };
        let post = self.parcel().look(|value| far.post_write(context, value));
        post.expect("a value is written once").map(Some)
    }

    fn came(
        &self,
        _: &'static Context,
        _: Done,
        _: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        drop_quietly(self.parcel().take());
        Ok(true)
    }

    fn begin_came(&self, _: &'static Context, _: Done) -> Result<(), Termination> {
        drop_quietly(self.parcel().take());
        Ok(())
    }

    fn told(&self, termination: &Termination, doubt: Option<Doubt>) {
        self.doubt.set(doubt);
        self.at.core().learn(Side::Writer, termination);
    }

    fn poll_finish(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        waker: &Waker,
    ) -> Poll<bool> {
        if let Some(reader) = self.partner.take() {
            if self.at.core().keeps_its_writer(reader.is_extended()) {
                self.gate.put(reader.wake_and_await());
            } else {
                reader.wake();
            }
        }
        let gate = self.gate.take().or_else(|| self.at.standing.offer()?.gate());
        match gate {
            Some(gate) if !gate.poll(waker) => {
                self.gate.put(gate);
                Poll::Pending
            }
            _ => Poll::Ready(true),
        }
    }

    fn undo(&self) {
        // It does not wait for the end of an extended read.
        drop(self.gate.take().or_else(|| self.at.standing.offer()?.gate()));
    }

    fn is_likely(&self) -> bool {
        self.at.is_likely(Side::Writer)
    }

    fn ended(&self) -> Option<Termination> {
        self.at.ended(Side::Writer)
    }

    fn want(&self) -> Want<'_> {
        self.at.want(Side::Writer)
    }

    fn want_standing(&self) -> Option<Want<'_>> {
        self.at.want_standing(Side::Writer)
    }
}

impl<T> Guard for Write<'_, T> {
    type Left = ();

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self.0))
    }

    fn keep(&mut self, (): &()) {}
}
