//! The operations of a channel that is away: its home serves them.

use std::panic::Location;

use super::Core;
use super::reading::Kept;
use super::state::State;
use crate::channel::far::{self, Away, Codec, Far, Finish, Opened, Post, Remote};
use crate::commit::parcel::Parcel;
use crate::report::place::Birth;
use crate::report::termination::{Poison, Termination, Unwritten};
use crate::sync::Guard;
use crate::wait::blocked::{Operation, Side};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::quietly::drop_quietly;
use crate::wait::seen::holders::Claim;

impl<T> Core<T> {
    /// Makes a channel of which one end has come from another OS process. That end is counted.
    pub(crate) fn far(far: Far<T>, side: Side, capacity: usize, birth: Birth) -> Self {
        let mut core = Self::new(capacity, birth);
        let state = core.state.get_mut();
        state.away = Some(Away::new(far, true, None));
        (state.capacity, state.handles) = (0, 0);
        *state.ends(side) = 1;
        core
    }

    /// Makes the channel one that is away, for good, because an end is about to leave this OS process. Processes that wait here begin
    /// anew.
    pub(crate) fn share(
        &self,
        node: &'static dyn Remote,
        codec: Codec<T>,
    ) -> Result<Far<T>, String> {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        if state.away.is_some() {
            return Ok(self.reach_ready(state));
        }
        let ends = (state.reader_ends > 0, state.writer_ends > 0);
        let (handles, ended) = (state.handles > 0, state.ended.take());
        let far = Far::share(node, self.capacity, ends, handles, ended.as_ref(), codec);
        let buffer = std::mem::take(&mut state.buffer);
        // Values that are still to be packed count as one more writer, so the channel does not retire ahead of them.
        let packs = !buffer.is_empty();
        if packs {
            far.add_end(Side::Writer);
        }
        state.capacity = 0;
        state.away = Some(Away::new(far, buffer.is_empty(), ended));
        state.readers.begin_anew(&mut later);
        state.late.tell_all();
        state.writers.begin_anew(&mut later);
        state.watchers.begin_anew(&mut later);
        drop(state);
        drop(later);
        if packs {
            let packed = buffer.iter().try_for_each(|value| far.preload(value));
            self.state.lock().away.as_mut().into_iter().for_each(Away::is_ready);
            far.drop_end(Side::Writer);
            packed?;
        }
        Ok(far)
    }

    /// Makes this channel bring a value for the channel that `far` reaches. Returns the offer that promises the value.
    pub(crate) fn promise(&self, far: &Far<T>) -> Result<Post, Termination> {
        let late = self.share(far.node(), far.codec());
        let late = late.map_err(|reason| far::broken(park::current(), reason))?;
        Ok(far.post_promise(&late))
    }

    /// Returns how the channel is reached, which is away. The values of its buffer may not have gone yet, so this is for all that does not
    /// mind their order. It does not wait.
    #[cold]
    pub(super) fn reach(&self, state: Guard<'_, State<T>>) -> Far<T> {
        state.away.as_ref().expect("it stays away for ever").way()
    }

    /// Returns how the channel is reached once the values of its buffer have gone. It waits while another thread packs them.
    #[cold]
    pub(super) fn reach_ready<'a>(&'a self, mut state: Guard<'a, State<T>>) -> Far<T> {
        loop {
            let away = state.away.as_ref().expect("it stays away for ever");
            if let Some(far) = away.far() {
                return far;
            }
            drop(state);
            park::current().pass();
            crate::sync::spin();
            state = self.state.lock();
        }
    }

    /// Returns how the channel is reached, if it is away.
    pub(crate) fn away(&self) -> Option<Far<T>> {
        let state = self.state.lock();
        state.away.is_some().then(|| self.reach_ready(state))
    }

    /// Does the same and does not wait. Returns `None` also while another thread packs the values of the buffer.
    pub(crate) fn away_now(&self) -> Option<Far<T>> {
        self.state.lock().away.as_ref()?.far()
    }

    /// Returns whether another thread packs the values of the buffer.
    pub(crate) fn is_packing(&self) -> bool {
        self.state.lock().away.as_ref().is_some_and(|away| away.far().is_none())
    }

    /// Notes how a channel that is away has ended for one of its sides.
    pub(crate) fn learn(&self, side: Side, termination: &Termination) {
        // This concerns one value only. The channel is as it was.
        if termination.poison().is_some_and(Poison::is_of_serialization) {
            return;
        }
        if let Some(away) = &mut self.state.lock().away {
            away.tell(side, termination);
        }
    }

    /// Returns how a channel that is away has ended for this side, as far as that was told.
    fn heard(&self, side: Side) -> Option<Termination> {
        self.state.lock().away.as_ref()?.told(side)
    }

    /// Does [`read`](Self::read) at a channel that is away.
    #[inline(never)]
    #[track_caller]
    pub(super) fn read_far(
        &self,
        far: Far<T>,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Kept>, Termination> {
        if context.is_polled() {
            park::refuse_to_wait("a read", "read_async().await", place);
        }
        loop {
            if let Some(termination) = park::unwinding(context) {
                return Err(termination);
            }
            let read = far.read(context, extended, &self.at(Operation::Read, place));
            match read {
                Ok((opened, finish)) => {
                    let opened = self.opened(opened, finish, context, extended, place, to);
                    if let Some(kept) = opened? {
                        context.communicated();
                        return Ok(kept);
                    }
                }
                Err(termination) => return Err(self.met_far(context, Side::Reader, termination)),
            }
        }
    }

    /// Takes the value, or the one that was promised in its place. Returns `None` if the promise was not kept, and an error if the value
    /// could not be unpacked.
    #[track_caller]
    pub(crate) fn opened(
        &self,
        opened: Opened<T>,
        finish: Option<Finish>,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
        to: &Parcel<T>,
    ) -> Result<Option<Option<Kept>>, Termination> {
        match opened {
            Opened::Value(value) => {
                to.put(value);
                Ok(Some(finish.map(Kept::Far)))
            }
            Opened::Late(late) => {
                finish.iter().for_each(Finish::release);
                // No user sees this channel. It stands for the other one until the value has come.
                let late = self.away().map_or(late, |far| late.promised_by(&far));
                let core = Core::far(late, Side::Reader, 0, self.birth);
                if let Some(name) = Core::name(self) {
                    core.set_name(name.into());
                }
                let found = core.read_late(context, extended, place, to);
                // The channel has not ended if its reader was not told so. Then only the thread of the reader ends, or the
                // reader unwinds, and the next reader is to have the value.
                let gives_back = |end: &Termination| {
                    let serialized = end.poison().is_some_and(Poison::is_of_serialization);
                    !serialized && core.heard(Side::Reader).is_none()
                };
                if found.as_ref().is_err_and(gives_back) {
                    late.give_back();
                    core.leave(Side::Reader, &Claim::none(), None);
                    return found.map(Some);
                }
                core.leave(Side::Reader, &Claim::none(), None);
                match found {
                    Ok(kept) => Ok(Some(kept)),
                    Err(end) if end.poison().is_some_and(Poison::is_of_serialization) => Err(end),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// Does [`write`](Self::write) at a channel that is away.
    #[inline(never)]
    #[track_caller]
    pub(super) fn write_far(
        &self,
        far: Far<T>,
        context: &'static Context,
        value: &Parcel<T>,
        place: &'static Location<'static>,
    ) -> Result<(), Unwritten> {
        if context.is_polled() {
            park::refuse_to_wait("a write", "write_async(value).await", place);
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(termination.into());
        }
        let why = self.at(Operation::Write, place);
        let written = value.look(|value| far.write(context, value, &why));
        match written.expect("a value is written once") {
            Ok(()) => {
                context.communicated();
                drop_quietly(value.take());
                Ok(())
            }
            Err(Unwritten { termination, doubt }) => {
                let termination = self.met_far(context, Side::Writer, termination);
                Err(Unwritten { termination, doubt })
            }
        }
    }

    /// Notes how a channel that is away has ended for the process that runs, unless it is only its thread that ends.
    fn met_far(&self, context: &Context, side: Side, termination: Termination) -> Termination {
        if context.dismissed().is_none() {
            self.learn(side, &termination);
            context.met(&termination);
        }
        termination
    }
}
