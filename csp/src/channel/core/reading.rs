//! Reads of a channel: at once, extended, and of a value that is made only after the writer was committed.

use std::panic::Location;

use super::Core;
use super::late;
use super::state::{Found, ReaderPlace, State};
use crate::channel::far::Finish;
use crate::channel::lent::ToCore;
use crate::commit::held::Held;
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::stand;
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::termination::Termination;
use crate::sync::{Arc, Guard};
use crate::wait::blocked::{Operation, Side};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::quietly::drop_quietly;

/// A writer that an extended read keeps waiting.
#[must_use = "a writer waits for it"]
pub(crate) enum Kept {
    /// The writer of the value.
    Writer(Held),
    /// A writer at a channel that is away.
    Far(Finish),
}

/// The writer, or the room, that an extended read keeps. It is let go when this is dropped.
pub(crate) enum Release<T> {
    /// The writer of the value.
    Writer(Kept),
    /// The room that the value had in the buffer.
    Room(Arc<Core<T>>),
    /// Nothing, because the writer could not wait: it unwinds.
    Nothing,
}

impl<T> Drop for Release<T> {
    fn drop(&mut self) {
        match self {
            Self::Writer(Kept::Writer(writer)) => writer.release(),
            Self::Writer(Kept::Far(finish)) => finish.release(),
            Self::Room(core) => {
                let mut later = Wakes::new();
                let mut state = core.state.lock();
                state.held -= 1;
                state.refill(&mut later);
            }
            Self::Nothing => {}
        }
    }
}

/// Why a read has no value yet.
pub(crate) enum Unread<T> {
    Ended(Termination),
    /// It begins anew, or the channel is away.
    Again,
    /// This writer, which waits, makes it only now.
    Unmade(Partner<T>),
}

impl<T> Core<T> {
    /// Reads a value into the parcel. The parcel is passed only to calls that are inlined, because an optimised build then needs no
    /// memory for it.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn read(
        &self,
        to: &Parcel<T>,
        place: &'static Location<'static>,
    ) -> Result<(), Unread<T>> {
        let context = park::current();
        let mut state = self.state.lock_unhurried(|| self.lull());
        match state.find(false, Some(context), || to) {
            Found::With(writer) => {
                drop(state);
                if !writer.pass(to) {
                    return Err(Unread::Unmade(writer));
                }
                writer.wake();
            }
            Found::InBuffer(later) => {
                drop(state);
                drop(later);
            }
            Found::Nothing => {
                if state.goes_on_elsewhere() {
                    return Err(Unread::Again);
                }
                return match self.wait_here(context, state, false, place, to) {
                    Ok(_) => Ok(()),
                    Err(Some(termination)) => Err(Unread::Ended(termination)),
                    Err(None) => Err(Unread::Again),
                };
            }
        }
        context.communicated();
        Ok(())
    }

    /// Does the rest of a read whose value did not come at once.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn read_otherwise(
        &self,
        unread: Unread<T>,
        place: &'static Location<'static>,
    ) -> Result<T, Termination> {
        let (context, to) = (park::current(), Parcel::empty());
        let made = match unread {
            Unread::Ended(termination) => return Err(termination),
            Unread::Again => None,
            Unread::Unmade(writer) => self.receive(context, writer, false, place, &to),
        };
        let came = match made {
            Some(_) => {
                context.communicated();
                Ok(())
            }
            None => self.read_late(context, false, place, &to).map(drop),
        };
        to.given(came)
    }

    /// Begins an extended read. It returns the [`Release`] that keeps the writer waiting.
    #[track_caller]
    pub(crate) fn begin(
        self: &Arc<Self>,
        to: &Parcel<T>,
        place: &'static Location<'static>,
    ) -> Result<Release<T>, Termination> {
        let context = park::current();
        let kept = self.read_late(context, true, place, to)?;
        Ok(Self::release(self, kept))
    }

    /// Returns the release for the end of an extended read.
    pub(crate) fn release(of: &impl ToCore<T>, kept: Option<Kept>) -> Release<T> {
        match kept {
            Some(kept) => Release::Writer(kept),
            None if of.capacity > 0 => Release::Room(of.counted()),
            None => Release::Nothing,
        }
    }

    /// Reads a value, which the writer may make only now. Returns the writer that an `extended` read keeps.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn read_late(
        &self,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Termination> {
        loop {
            let mut state = self.state.lock();
            let found = match state.find(extended, (!extended).then_some(context), || to) {
                Found::Nothing => match self.wait_for_value(context, state, extended, place, to) {
                    Ok(kept) => return Ok(kept),
                    Err(Some(termination)) => return Err(termination),
                    Err(None) => None,
                },
                Found::InBuffer(later) => {
                    drop(state);
                    drop(later);
                    Some(None)
                }
                Found::With(writer) => {
                    drop(state);
                    self.receive(context, writer, extended, place, to)
                }
            };
            if let Some(kept) = found {
                context.communicated();
                return Ok(kept);
            }
        }
    }

    /// Takes the value of a writer that waits. An `extended` read keeps that writer. Returns `None` if the writer has no value after
    /// all.
    #[track_caller]
    pub(crate) fn receive(
        &self,
        context: &'static Context,
        writer: Partner<T>,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Option<Option<Kept>> {
        if !writer.pass(to) {
            let why = self.at(Operation::Handover, place);
            let held = writer.order(context, extended, &why, to)?;
            return Some(held.map(Kept::Writer));
        }
        if extended {
            return Some(Some(Kept::Writer(writer.hold())));
        }
        writer.wake();
        Some(None)
    }

    /// Waits for a value, here or at the home of the channel. `Err(None)` says that nothing came of it, and the read begins anew.
    #[track_caller]
    fn wait_for_value(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Option<Termination>> {
        if state.goes_on_elsewhere() {
            return self
                .read_far(self.reach_ready(state), context, extended, place, to)
                .map_err(Some);
        }
        self.wait_here(context, state, extended, place, to)
    }

    /// Does the same at a channel that is not away, or has ended.
    #[inline(always)]
    #[track_caller]
    fn wait_here(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Option<Termination>> {
        if state.ended.is_some() {
            drop(state);
            return Err(Some(self.meet_end(context, Side::Reader)));
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(Some(termination));
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a read", "read_async().await", place);
        }
        // While one thread alone has used the channel, its readers have no lines.
        if late::IS_POSSIBLE && (extended || !state.is_alone()) {
            return self.wait_beside_others(context, state, extended, place, to);
        }
        let (why, waiter) = (self.at(Operation::Read, place), Waiter::single(context));
        let release = if late::IS_POSSIBLE { Guard::release_alone } else { drop };
        let held = stand::stand_and(
            context,
            &waiter,
            state,
            |state| &mut state.readers,
            release,
            to,
            extended,
            &why,
        );
        if !to.is_full() {
            if late::IS_POSSIBLE {
                self.read_untold(context, &waiter, place, to)?;
            } else if waiter.outcome() == Outcome::Retry {
                return Err(context.dismissed());
            } else {
                return Err(Some(self.meet_end(context, Side::Reader)));
            }
        }
        context.communicated();
        Ok(held.map(Kept::Writer))
    }

    /// Waits at a channel that other threads use, or for an extended read. The value has a parcel of its own meanwhile, so that the
    /// other one is passed only to calls that are inlined. A build that inlines nothing has one place less for the value.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[track_caller]
    fn wait_beside_others(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Option<Termination>> {
        #[cfg(debug_assertions)]
        {
            self.stand_beside_others(context, state, extended, place, to)
        }
        #[cfg(not(debug_assertions))]
        {
            let came = Parcel::empty();
            let kept = self.stand_beside_others(context, state, extended, place, &came)?;
            came.pass(to);
            Ok(kept)
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn stand_beside_others(
        &self,
        context: &'static Context,
        mut state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Option<Termination>> {
        let stands = if extended { state.place_of_extended() } else { state.place_of(context) };
        if let ReaderPlace::Line = stands {
            self.read_in_line(context, state, place, to)?;
            return Ok(None);
        }
        let (why, waiter) = (self.at(Operation::Read, place), Waiter::single(context));
        let held = stand::stand_and(
            context,
            &waiter,
            state,
            |state| &mut state.readers,
            |mut state| {
                if let ReaderPlace::BesideLines = stands {
                    state.reader_came();
                }
            },
            to,
            extended,
            &why,
        );
        if !to.is_full() {
            self.read_untold(context, &waiter, place, to)?;
        }
        context.communicated();
        Ok(held.map(Kept::Writer))
    }

    /// Gives back the value of a reader that was a future and was dropped. It kept the `room` of the value if that is true.
    #[cold]
    pub(crate) fn give_back(&self, value: &Parcel<T>, room: bool) {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        state.held -= usize::from(room && self.capacity > 0);
        if state.away.is_some() {
            // The channel has left meanwhile, and its home is here.
            let far = self.reach(state);
            value.look(|value| far.put_back(value));
            drop_quietly(value.take());
            return;
        }
        state.take_back(value, &mut later);
        // Its room, if the value went to another reader.
        state.refill(&mut later);
        drop(state);
        drop(later);
        drop_quietly(value.take());
    }
}
