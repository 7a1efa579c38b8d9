//! Writes to a channel, and the ways in which a promised value gets to its reader.

use std::panic::Location;

use super::Core;
use super::state::{Placed, Placing, State};
use crate::commit::gate::Gate;
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::promise::{Made, Promise};
use crate::commit::stand;
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::termination::{Cause, Poison, Termination, Unwritten};
use crate::sync::{Arc, Guard};
use crate::wait::blocked::{Operation, Side};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::quietly::drop_quietly;

impl<T> Core<T> {
    /// Writes a value. The parcel keeps it if there is an error. `Err(None)` says that the write begins anew. The parcel is passed only
    /// to calls that are inlined, as in [`read`](Self::read).
    #[inline(always)]
    #[track_caller]
    pub(crate) fn write(
        &self,
        value: &Parcel<T>,
        place: &'static Location<'static>,
    ) -> Result<(), Option<Termination>> {
        let context = park::current();
        let mut state = self.state.lock_unhurried(|| self.lull());
        match state.place(value, Placing::Plain) {
            Placed::With(reader) => {
                drop(state);
                if reader.is_extended() {
                    self.serve_extended(context, reader, place);
                } else {
                    reader.wake();
                }
                context.communicated();
                Ok(())
            }
            Placed::InBuffer(told) => {
                drop(state);
                told.wake();
                context.communicated();
                Ok(())
            }
            Placed::Nowhere => self.wait_for_reader(context, state, value, place),
        }
    }

    /// Does the rest of a write whose value was not written at once. The parcel keeps it if there is an error.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn write_otherwise(
        &self,
        value: &Parcel<T>,
        mut unwritten: Option<Termination>,
        place: &'static Location<'static>,
    ) -> Result<(), Unwritten> {
        loop {
            if let Some(termination) = unwritten {
                return Err(termination.into());
            }
            let state = self.state.lock();
            if state.goes_on_elsewhere() {
                return self.write_far(self.reach_ready(state), park::current(), value, place);
            }
            drop(state);
            unwritten = match self.write(value, place) {
                Ok(()) => return Ok(()),
                Err(unwritten) => unwritten,
            };
        }
    }

    /// Returns whether the writer of a value waits until its reader has done with the value, if that read is extended.
    pub(crate) fn keeps_its_writer(&self, extended: bool) -> bool {
        extended && self.capacity == 0 && !std::thread::panicking()
    }

    /// Lets a reader go on that has its value but keeps its writer, which is the caller.
    #[cold]
    #[track_caller]
    pub(crate) fn serve_extended(
        &self,
        context: &'static Context,
        reader: Partner<T>,
        place: &'static Location<'static>,
    ) {
        if self.keeps_its_writer(true) {
            reader.wake_and_wait(context, &self.at(Operation::Release, place));
        } else {
            reader.wake();
        }
    }

    /// Waits for a reader, or for room.
    #[inline(always)]
    #[track_caller]
    fn wait_for_reader(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        value: &Parcel<T>,
        place: &'static Location<'static>,
    ) -> Result<(), Option<Termination>> {
        if state.ended.is_some() {
            drop(state);
            return Err(Some(self.meet_end(context, Side::Writer)));
        }
        if state.away.is_some() {
            return Err(None);
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(Some(termination));
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a write", "write_async(value).await", place);
        }
        let why = self.at(Operation::Write, place);
        let waiter = Waiter::single(context);
        stand::stand(context, &waiter, state, |state| &mut state.writers, value, false, &why);
        if value.is_full() {
            match waiter.outcome() {
                Outcome::Ended => return Err(Some(self.meet_end(context, Side::Writer))),
                Outcome::Retry => return Err(context.dismissed()),
                _ => {}
            }
        }
        context.communicated();
        Ok(())
    }

    /// Hands the promised value to a reader that awaits it.
    #[track_caller]
    pub(crate) fn keep_promise(
        &self,
        context: &'static Context,
        promise: &Promise<T>,
        value: &Parcel<T>,
        place: &'static Location<'static>,
    ) {
        let kept = match self.keeps_its_writer(promise.is_extended()) {
            true => promise.keep_and_wait(value, context, &self.at(Operation::Release, place)),
            false => promise.keep(Made::Value(None), value),
        };
        if kept.is_err() {
            self.give_back(value, false);
        }
    }

    /// Does the same in an `async` process. Returns the gate that the process then awaits, if any.
    pub(crate) fn keep_promise_and_await(
        &self,
        promise: &Promise<T>,
        value: &Parcel<T>,
    ) -> Option<Arc<Gate>> {
        let kept = match self.keeps_its_writer(promise.is_extended()) {
            true => promise.keep_and_await(value).map(Some),
            false => promise.keep(Made::Value(None), value).map(|()| None),
        };
        kept.unwrap_or_else(|_| {
            // Its reader has gone.
            self.give_back(value, false);
            None
        })
    }

    /// Hands a value to a reader that waits, or puts it into the buffer, if the buffer does not have an equal one. It does not wait, and
    /// does not look for room. Returns false if the channel has ended.
    ///
    /// The values are compared under the lock, so `T` is a type of the library's own.
    pub(crate) fn put_once(&self, value: T) -> bool
    where
        T: Copy + Eq,
    {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        let goes_on = state.ended.is_none();
        if goes_on && !state.buffer.contains(&value) {
            state.put(&Parcel::full(value), &mut later);
        }
        drop(state);
        goes_on
    }

    /// Returns whether a reader waits.
    pub(crate) fn is_awaited(&self) -> bool {
        let state = self.state.lock();
        !state.readers.is_empty() || state.late.is_awaited()
    }

    /// Puts the value into the room that was reserved for it, if it was made. Returns an error if the channel is away by now and the
    /// value cannot be packed.
    pub(crate) fn fill(&self, value: &Parcel<T>) -> Result<(), Termination> {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        state.held -= 1;
        if state.away.is_some() {
            // The values of the buffer go first.
            let far = self.reach_ready(state);
            let packed = value.look(|value| far.preload(value)).unwrap_or(Ok(()));
            drop_quietly(value.take());
            return packed.map_err(|reason| {
                let process = park::current().path();
                Termination::Poisoned(Poison::new(Cause::Serialization { process, reason }))
            });
        }
        let unwanted = match &state.ended {
            Some(Termination::Poisoned(_)) => true,
            Some(_) => state.reader_ends == 0,
            None => false,
        };
        if !unwanted {
            // A reader that waits takes the value, and leaves the room to the next writer.
            if value.is_full() {
                state.put(value, &mut later);
            }
            state.refill(&mut later);
        }
        drop(state);
        drop(later);
        drop_quietly(value.take());
        Ok(())
    }
}
