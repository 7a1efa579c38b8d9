//! Floor 4. The shared part of a channel: its state behind a lock, its name and place, and the count of its ends.
//!
//! `reading` and `writing` have the operations, `state` what they do under the lock, and `away` the operations on a channel with
//! ends in other OS processes.
//!
//! Invariants:
//! - No value is dropped and no waker of the user's is woken while the lock is held, because either may use channels (see
//!   [`Wakes`]). Values that go together are dropped one after another, and a panic of a `Drop` goes on after the last
//!   (`quietly`).
//! - An operation that awaits may be forgotten, and then still stands. It points at the channel, and not at the end that it came
//!   by. The channel takes all offers out of its queues before it goes.

mod away;
mod late;
mod reading;
mod remembered;
mod retired;
mod state;
mod writing;

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;

use crate::channel::far::Away;
use crate::report::place::{Birth, Place};
use crate::report::termination::{Poison, Termination};
use crate::report::{Fill, Retirement};
use crate::sync::{Aligned, Guard, Lock};
use crate::wait::blocked::{self, Blocked, Dismissal, Needs, Object, Operation, Side, Want};
use crate::wait::future;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::quietly::{drop_all, drop_each, drop_quietly};
use crate::wait::seen::holders::{Claim, Held as Holding, Holder, Runs};
use crate::watch::registry::{Listed, Listing};
use crate::watch::usage::{self, Use};

pub(crate) use self::reading::{Kept, Release};
pub(crate) use self::state::{Found, Placed, Placing, State};

/// A channel, which its ends and handles share.
#[allow(missing_debug_implementations, reason = "nobody outside sees it")]
pub struct Core<T> {
    /// Goes first.
    listed: Listed,
    state: Aligned<Lock<State<T>>>,
    capacity: usize,
    name: OnceLock<Box<str>>,
    birth: Birth,
}

impl<T> Core<T> {
    pub(crate) fn new(capacity: usize, birth: Birth) -> Self {
        let capacity = capacity.min(state::MOST);
        Self {
            listed: Listed::none(),
            state: Aligned(Lock::owned(State::new(capacity))),
            capacity,
            name: OnceLock::new(),
            birth,
        }
    }

    /// Returns the state with its lock, for an alternation, which locks all its channels at once.
    pub(crate) fn state(&self) -> &Lock<State<T>> {
        &self.state
    }

    pub(crate) fn set_name(&self, name: Box<str>) {
        let _ = self.name.set(name);
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.get().map(|name| &**name)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn birth(&self) -> Birth {
        self.birth
    }

    /// Returns how many values are in the buffer, and whether it has room for another.
    pub(crate) fn filling(&self) -> (usize, bool) {
        let state = self.state.lock();
        (state.buffer.len(), state.has_room())
    }

    /// Returns whether both are the same channel. An OS process may have a channel that is away more than once.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let far = || Some(self.away()?.channel() == other.away()?.channel());
        std::ptr::eq(self, other) || far() == Some(true)
    }

    /// Returns how the channel has ended for this side. A reader may have values left to read.
    pub(crate) fn termination(&self, side: Side) -> Option<Termination> {
        let state = self.state.lock();
        if let Some(away) = &state.away {
            let told = away.told(side);
            let far = away.far();
            drop(state);
            return told.or_else(|| far?.ending(side));
        }
        let ended = match &state.ended {
            Some(Termination::Retired) if side == Side::Reader && !state.buffer.is_empty() => None,
            ended => ended.clone(),
        };
        drop(state);
        if ended.is_some() {
            self.told(side);
        }
        ended
    }

    /// Notes that a process on this side has observed the channel's end, or waits for it.
    #[inline(always)]
    pub(crate) fn told(&self, side: Side) {
        usage::told(self, self.listed.scope(), side);
    }

    /// Returns the scope that asks for its leftovers.
    pub(crate) fn scope(&self) -> u32 {
        self.listed.scope()
    }

    /// Returns the record of the use of an end that is made here.
    #[inline(always)]
    pub(crate) fn made(&self, side: Side, place: Place) -> Use {
        Use::of(self, self.listed.scope(), side, place)
    }

    /// Returns how the channel has ended to a process that has run into its end, and notes it for that process.
    #[cold]
    pub(crate) fn meet_end(&self, context: &Context, side: Side) -> Termination {
        let ended = self.find_end(side);
        context.met(&ended);
        ended
    }

    /// Does the same and notes it for nobody.
    #[cold]
    pub(crate) fn find_end(&self, side: Side) -> Termination {
        self.told(side);
        let mut state = self.state.lock();
        let before = || state.away.as_ref()?.before().cloned();
        let ended = state.ended.clone().or_else(before);
        let ended = ended.expect("only an ended channel turns one away");
        let unread = std::mem::take(&mut state.unread);
        drop(state);
        drop_each(unread);
        ended
    }

    /// Returns how long to stay away from a channel that another thread is at. That thread may handle many values of the buffer
    /// while its core has the cache lines. Threads that take turns would have to fetch them each time.
    #[cold]
    fn lull(&self) -> u32 {
        self.capacity.clamp(2, 64) as u32
    }

    /// Returns the wait of a process at such an operation here.
    pub(crate) fn at(
        &self,
        operation: Operation,
        place: &'static Location<'static>,
    ) -> Waiting<'_, T> {
        Waiting { core: self, operation, place }
    }

    /// Counts one more end on a side.
    pub(crate) fn join(&self, side: Side) {
        let mut state = self.state.lock();
        let ends = state.ends(side);
        *ends += 1;
        let first = *ends == 1;
        if first && state.away.is_some() {
            self.reach(state).add_end(side);
        }
    }

    /// Notes that the current process holds this end, or handle. It is `sure` if the process cannot have let it out.
    pub(crate) fn claim(&self, claim: &Claim, what: Holding, sure: bool) {
        let who = park::current().who();
        claim.by(&mut self.state.lock().holders, Holder { who, what, sure });
    }

    /// Counts one end less. With the last of a side the channel is retired.
    pub(crate) fn leave(&self, side: Side, claim: &Claim, made: Option<Place>) {
        let mut state = self.state.lock();
        state.holders.leave(claim);
        let ends = state.ends(side);
        *ends -= 1;
        let last = *ends == 0;
        if last && state.away.is_some() {
            self.reach(state).drop_end(side);
        } else if last {
            if state.ended.is_none() {
                state.remembered.note(remembered::word(side), made);
            }
            self.end(state, Termination::Retired, side == Side::Writer);
        }
    }

    pub(crate) fn add_handle(&self) {
        self.state.lock().handles += 1;
    }

    /// Counts one handle less. With the last handle a side without an end is over, too.
    pub(crate) fn drop_handle(&self, claim: &Claim) {
        let mut state = self.state.lock();
        state.holders.leave(claim);
        state.handles -= 1;
        if state.handles == 0 && state.away.is_some() {
            self.reach(state).drop_handle();
        } else if state.handles == 0 && (state.reader_ends == 0 || state.writer_ends == 0) {
            let readable = state.reader_ends > 0;
            if state.ended.is_none() {
                state.remembered.note("handle", None);
            }
            self.end(state, Termination::Retired, readable);
        }
    }

    /// Ends the channel at once for everybody.
    pub(crate) fn poison(&self, poison: Termination) {
        let state = self.state.lock();
        if state.away.is_some() {
            self.reach(state).poison(&poison);
        } else {
            self.end(state, poison, false);
        }
    }

    /// Ends the channel. It stays `readable` if there are readers, or may be, for the values in the buffer.
    fn end(&self, mut state: Guard<'_, State<T>>, how: Termination, readable: bool) {
        let unread = if readable { VecDeque::new() } else { std::mem::take(&mut state.buffer) };
        let lost = how == Termination::Retired && !unread.is_empty();
        let mut later = Wakes::new();
        state.end(how, &mut later);
        drop(state);
        drop(later);
        if lost {
            usage::unread(self, self.listed.scope(), unread.len());
        }
        drop_all(unread);
    }
}

/// Takes out the offers of operations that were forgotten. A look at one of them does not come here any more.
impl<T> Drop for Core<T> {
    fn drop(&mut self) {
        // In a model nothing is forgotten, and nobody looks.
        if cfg!(loom) {
            return;
        }
        let mut later = Wakes::new();
        // It is locked, because it is still listed, and may be looked at.
        let mut state = self.state.lock();
        state.readers.end_all(true, &mut later);
        state.writers.end_all(true, &mut later);
        state.watchers.end_all(true, &mut later);
        let (buffer, unread) =
            (std::mem::take(&mut state.buffer), std::mem::take(&mut state.unread));
        drop(state);
        future::unseen();
        drop_each(buffer);
        drop_each(unread);
    }
}

/// Writes its name, or the place where it was made.
impl<T> fmt::Display for Core<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.birth.place().fmt(f),
        }
    }
}

impl<T> Object for Core<T> {
    fn address(&self) -> usize {
        std::ptr::from_ref(&self.state).addr()
    }

    fn kind(&self) -> String {
        format!("Channel<{}>", blocked::type_name::<T>())
    }

    fn name(&self) -> Option<String> {
        Core::name(self).map(str::to_owned)
    }

    fn birth(&self) -> Place {
        self.birth.place()
    }

    fn needs(&self) -> Needs {
        let state = self.state.lock();
        // A reader that stands may have a value that is ahead.
        if state.away.is_some() || state.late.is_ahead() {
            return Needs::Unknown;
        }
        let holders: Runs = state.holders.iter().collect();
        let all = state.reader_ends + state.writer_ends + state.handles;
        let unknown = all - holders.sure().map(|run| run.count).sum::<usize>();
        Needs::Anyone { holders, unknown }
    }

    fn holders(&self) -> Vec<Holder> {
        self.state.lock().holders.iter().collect()
    }

    fn fill(&self) -> Option<Fill> {
        let state = self.state.lock();
        Some(Fill {
            capacity: self.capacity,
            values: state.buffer.len(),
            readers: state.reader_ends,
            writers: state.writer_ends,
            handles: state.handles,
            away: state.away.is_some(),
        })
    }

    fn away(&self) -> Option<(u64, u64)> {
        let channel = self.state.lock().away.as_ref()?.way().channel();
        Some((channel.home.0, channel.index))
    }

    fn retirement(&self) -> Option<Retirement> {
        Core::retirement(self)
    }

    fn dismiss(&self, context: usize, last: bool) -> Dismissal {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        let here = state.readers.dismiss(context)
            || state.writers.dismiss(context)
            || state.watchers.dismiss(context);
        let (in_line, unread) = match here {
            true => (false, None),
            false => state.dismiss_late(context, last, &mut later),
        };
        let found = match here || in_line {
            true => Dismissal::Done,
            false => Away::dismiss(&state.away, context, last),
        };
        drop(state);
        drop(later);
        unread.into_iter().for_each(|value| drop_quietly(value.take()));
        found
    }

    fn is_telling(&self) -> bool {
        self.state.lock().late.is_told()
    }

    fn break_off(&self, poison: &Poison, later: &mut Wakes) {
        let mut state = self.state.lock();
        if state.away.is_some() {
            self.reach(state).poison(&Termination::Poisoned(poison.clone()));
            return;
        }
        let mut unread = std::mem::take(&mut state.buffer);
        state.unread.append(&mut unread);
        state.end(Termination::Poisoned(poison.clone()), later);
    }
}

impl<T> Listing for Core<T> {
    fn listed(&self) -> &Listed {
        &self.listed
    }
}

/// A process at a read or a write.
pub(crate) struct Waiting<'a, T> {
    core: &'a Core<T>,
    pub(crate) operation: Operation,
    pub(crate) place: &'static Location<'static>,
}

impl<T> Blocked for Waiting<'_, T> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: Some(self.core) });
    }
}
