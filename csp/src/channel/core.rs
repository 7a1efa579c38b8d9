//! A channel: a buffer, which may have no room at all, between two queues of offers.
//!
//! What holds, whenever the lock is free:
//! - No reader and writer wait here that could serve each other: one of the two is committed elsewhere,
//!   or both are the same process, or an extended read keeps back the room between them.
//! - Readers wait only when the buffer is empty, writers only when it has no room.
//! - A value that a reader was handed and did not take, as it was a future that was dropped, stands first in the buffer,
//!   room or not.
//! - `ended` never goes back; poison may follow retirement, not the other way round. Of an ended channel
//!   both queues are empty, of a poisoned one the buffer too.
//!
//! No value is dropped while the lock is held: a `Drop` may use channels.
//!
//! Once an end of it has left this OS process a channel is *away*: queues and buffer are empty for good and there is no room,
//! so that all operations find nothing here and come to the one place that looks whether it is.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;

use crate::backend::away::{Away, Codec, Far, Finish, Opened};
use crate::blocked::{self, Blocked, Needs, Object, Operation, Want};
use crate::holders::{Claim, Held as Holding, Holder, Holders, Runs};
use crate::leaks::{self, Use};
use crate::park::{self, Context};
use crate::place::{Birth, Place};
use crate::registry::{Listed, Listing};
use crate::report::Fill;
use crate::sync::{Aligned, Arc, Guard, Lock};
use crate::termination::{Cause, Poison, Termination, WriteError};
use crate::waiter::{self, Gate, Held, Made, Outcome, Partner, Promise, Queue};

/// What the ends and handles of one channel share.
#[allow(missing_debug_implementations, reason = "nobody outside sees it")]
pub struct Core<T> {
    /// Goes first.
    listed: Listed,
    state: Aligned<Lock<State<T>>>,
    capacity: usize,
    name: OnceLock<Box<str>>,
    birth: Birth,
}

/// What a rendezvous touches comes first: with the lock one cache line.
#[repr(C)]
pub(crate) struct State<T> {
    pub(crate) readers: Queue<T>,
    pub(crate) writers: Queue<T>,
    /// Or [`RETURNED`], where there is no room but a value all the same.
    capacity: usize,
    pub(crate) ended: Option<Termination>,
    /// Other OS processes have ends of it, or are about to.
    away: Option<Away<T>>,
    buffer: VecDeque<T>,
    /// Who waits for the channel to retire.
    pub(crate) watchers: Queue<()>,
    /// Room in the buffer that extended reads keep back, or that is kept for a value still to be made.
    held: usize,
    reader_ends: usize,
    writer_ends: usize,
    handles: usize,
    /// Who holds which of them, as far as that is known.
    holders: Holders,
    /// What was in the buffer when the channel was poisoned by a thread that may not drop it.
    unread: VecDeque<T>,
}

pub(crate) use crate::blocked::Side;

/// A reader has given a value back to a channel without room. That stands in the word that each operation looks at anyway.
const RETURNED: usize = 1 << (usize::BITS - 1);

/// What an extended read keeps waiting.
#[must_use = "a writer waits for it"]
pub(crate) enum Kept {
    /// The writer of the value.
    Writer(Held),
    /// A writer at a channel that is away.
    Far(Finish),
}

/// What an extended read keeps from going on; let go when dropped.
pub(crate) enum Release<T> {
    /// The writer of the value.
    Writer(Kept),
    /// The room that the value had in the buffer.
    Room(Arc<Core<T>>),
    /// The writer could not wait: it unwinds.
    Nothing,
}

impl<T> Drop for Release<T> {
    fn drop(&mut self) {
        match self {
            Self::Writer(Kept::Writer(writer)) => writer.release(),
            Self::Writer(Kept::Far(finish)) => finish.release(),
            Self::Room(core) => {
                let mut state = core.state.lock();
                state.held -= 1;
                state.refill();
            }
            Self::Nothing => {}
        }
    }
}

/// Where a reader finds a value.
pub(crate) enum Found<T> {
    /// With this writer, who waits.
    With(Partner<T>),
    InBuffer(T),
    Nothing,
}

/// Where a writer finds a place for a value.
pub(crate) enum Placed<T> {
    /// With this reader, who waits.
    With(Partner<T>),
    InBuffer,
    Nowhere(T),
}

impl<T> State<T> {
    #[inline(always)]
    fn has_room(&self) -> bool {
        self.buffer.len() + self.held < self.room()
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.capacity & !RETURNED
    }

    fn ends(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Reader => &mut self.reader_ends,
            Side::Writer => &mut self.writer_ends,
        }
    }

    /// Nothing is in the buffer, and no room in it is kept.
    pub(crate) fn is_vacant(&self) -> bool {
        self.buffer.is_empty() && self.held == 0
    }

    pub(crate) fn queue(&mut self, side: Side) -> &mut Queue<T> {
        match side {
            Side::Reader => &mut self.readers,
            Side::Writer => &mut self.writers,
        }
    }

    /// A value for a reader. An `extended` read keeps the room of a value that was in the buffer.
    #[inline(always)]
    pub(crate) fn find(&mut self, extended: bool) -> Found<T> {
        if self.capacity == 0 {
            return match self.writers.commit_first() {
                Some(writer) => Found::With(writer),
                None => Found::Nothing,
            };
        }
        let Some(value) = self.buffer.pop_front() else { return Found::Nothing };
        if self.room() == 0 {
            self.takes_returned();
        } else if extended {
            self.held += 1;
        } else {
            self.refill();
        }
        self.tell_watchers();
        Found::InBuffer(value)
    }

    /// A place for a value. A reader that waits has found the buffer empty.
    #[inline(always)]
    pub(crate) fn place(&mut self, value: T) -> Placed<T> {
        if (self.capacity == 0 || self.has_room())
            && let Some(reader) = self.readers.commit_first()
        {
            self.hand(&reader, value);
            return Placed::With(reader);
        }
        if self.capacity > 0 && self.has_room() && self.ended.is_none() {
            self.buffer.push_back(value);
            return Placed::InBuffer;
        }
        Placed::Nowhere(value)
    }

    #[inline(always)]
    fn hand(&mut self, reader: &Partner<T>, value: T) {
        reader.put(value);
        if self.room() > 0 && reader.is_extended() {
            self.held += 1;
        }
    }

    /// A reader for a value that is still to be made.
    pub(crate) fn customer(&mut self) -> Option<Partner<T>> {
        if self.capacity == 0 { self.readers.commit_first() } else { None }
    }

    /// Room in the buffer for a value that is still to be made.
    pub(crate) fn reserve(&mut self) -> bool {
        let free = self.has_room() && self.ended.is_none();
        self.held += usize::from(free);
        free
    }

    /// Room has become free: who waits longest to write, writes.
    #[inline(always)]
    fn refill(&mut self) {
        while self.has_room() {
            let Some(writer) = self.writers.commit_first() else { return };
            let value = writer.take();
            writer.wake();
            match value {
                Some(value) => self.put(value),
                // It makes its value only now; the room is kept for it.
                None => self.held += 1,
            }
        }
    }

    /// Into room that is there.
    fn put(&mut self, value: T) {
        match self.readers.commit_first() {
            Some(reader) => {
                self.hand(&reader, value);
                reader.wake();
            }
            None => self.buffer.push_back(value),
        }
    }

    /// Whether there is somebody here on the other side, or something in the buffer, or room in it.
    pub(crate) fn is_likely(&self, side: Side) -> bool {
        match side {
            Side::Reader => !self.buffer.is_empty() || !self.writers.is_empty(),
            Side::Writer => !self.readers.is_empty() || (self.has_room() && self.ended.is_none()),
        }
    }

    /// Whether other OS processes have ends of the channel.
    pub(crate) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// A value that a reader was handed and has not taken: the next one's.
    fn take_back(&mut self, value: T) -> Option<T> {
        if self.ended.as_ref().is_some_and(|ended| ended.poison().is_some())
            || self.reader_ends == 0
        {
            return Some(value);
        }
        match self.readers.commit_first() {
            Some(reader) => {
                self.hand(&reader, value);
                reader.wake();
            }
            None => {
                self.buffer.push_front(value);
                if self.room() == 0 {
                    self.capacity = RETURNED;
                }
            }
        }
        None
    }

    #[cold]
    fn takes_returned(&mut self) {
        if self.buffer.is_empty() {
            self.capacity = 0;
        }
    }

    /// Whether the channel is retired and has nothing left to read.
    pub(crate) fn is_retired(&self) -> bool {
        self.ended == Some(Termination::Retired) && self.buffer.is_empty()
    }

    #[inline(always)]
    fn tell_watchers(&mut self) {
        if self.ended.is_some() && self.is_retired() {
            while let Some(watcher) = self.watchers.commit_first() {
                watcher.wake();
            }
        }
    }
}

impl<T> Core<T> {
    pub(crate) fn new(capacity: usize, birth: Birth) -> Self {
        Self {
            listed: Listed::none(),
            state: Aligned(Lock::owned(State {
                readers: Queue::new(),
                writers: Queue::new(),
                watchers: Queue::new(),
                buffer: VecDeque::new(),
                capacity,
                held: 0,
                reader_ends: 0,
                writer_ends: 0,
                handles: 1,
                holders: Holders::default(),
                ended: None,
                unread: VecDeque::new(),
                away: None,
            })),
            capacity,
            name: OnceLock::new(),
            birth,
        }
    }

    /// A channel of which one end has come from another OS process; it is counted.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn far(far: Far<T>, side: Side, capacity: usize, birth: Birth) -> Self {
        let mut core = Self::new(capacity, birth);
        let state = core.state.get_mut();
        state.away = Some(Away::new(far, true, None));
        (state.capacity, state.handles) = (0, 0);
        *state.ends(side) = 1;
        core
    }

    /// An end is about to leave this OS process: from here on, and for good, the channel is away. Who waits here begins anew.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn share(&self, codec: Codec<T>) -> Result<Far<T>, String> {
        let mut state = self.state.lock();
        if state.away.is_some() {
            return Ok(self.reach(state));
        }
        let ends = (state.reader_ends > 0, state.writer_ends > 0);
        let (handles, ended) = (state.handles > 0, state.ended.take());
        let far = Far::share(self.capacity, ends, handles, ended.as_ref(), codec);
        let buffer = std::mem::take(&mut state.buffer);
        state.capacity = 0;
        state.away = Some(Away::new(far, buffer.is_empty(), ended));
        state.readers.begin_anew();
        state.writers.begin_anew();
        state.watchers.begin_anew();
        drop(state);
        if !buffer.is_empty() {
            let packed = buffer.iter().try_for_each(|value| far.preload(value));
            self.state.lock().away.as_mut().into_iter().for_each(Away::is_ready);
            packed?;
        }
        Ok(far)
    }

    /// How the channel is reached, which is away.
    #[cold]
    fn reach<'a>(&'a self, mut state: Guard<'a, State<T>>) -> Far<T> {
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

    /// How the channel is reached, if it is away.
    pub(crate) fn away(&self) -> Option<Far<T>> {
        let state = self.state.lock();
        state.away.is_some().then(|| self.reach(state))
    }

    /// A side of a channel that is away was told how it has ended.
    pub(crate) fn learn(&self, side: Side, termination: &Termination) {
        // Of one value only: the channel is as it was.
        if termination.poison().is_some_and(Poison::is_of_serialization) {
            return;
        }
        if let Some(away) = &mut self.state.lock().away {
            away.tell(side, termination);
        }
    }

    /// For an alternation, which locks all its channels at once.
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

    /// How the channel has ended for a reader, who may have values left to read, or for a writer.
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

    /// Who is on this side is told of the channel's end, or waits for it.
    #[inline(always)]
    pub(crate) fn told(&self, side: Side) {
        leaks::told(self, self.listed.scope(), side);
    }

    /// What is known of the use of an end that is made here.
    #[inline(always)]
    pub(crate) fn made(&self, side: Side, place: Place) -> Use {
        Use::of(self, self.listed.scope(), side, place)
    }

    /// The end of the channel, as the process that runs into it gets it.
    #[cold]
    pub(crate) fn meet_end(&self, context: &Context, side: Side) -> Termination {
        self.told(side);
        let mut state = self.state.lock();
        let before = || state.away.as_ref()?.before().cloned();
        let ended = state.ended.clone().or_else(before);
        let ended = ended.expect("only an ended channel turns one away");
        let unread = std::mem::take(&mut state.unread);
        drop(state);
        drop(unread);
        context.met(&ended);
        ended
    }

    #[inline(always)]
    pub(crate) fn read(&self, place: &'static Location<'static>) -> Result<T, Termination> {
        let context = park::current();
        let mut state = self.state.lock_unhurried(|| self.lull());
        match state.find(false) {
            Found::With(writer) => {
                drop(state);
                if let Some(value) = writer.take() {
                    writer.wake();
                    context.communicated();
                    return Ok(value);
                }
                if let Some((value, _)) =
                    writer.order(context, false, &self.at(Operation::Handover, place))
                {
                    context.communicated();
                    return Ok(value);
                }
                self.read_late(context, false, place).map(|(value, _)| value)
            }
            Found::InBuffer(value) => {
                drop(state);
                context.communicated();
                Ok(value)
            }
            Found::Nothing => {
                self.wait_for_value(context, state, false, place).map(|(value, _)| value)
            }
        }
    }

    /// An extended read: what it returns beside the value keeps the writer waiting.
    pub(crate) fn begin(
        self: &Arc<Self>,
        place: &'static Location<'static>,
    ) -> Result<(T, Release<T>), Termination> {
        let context = park::current();
        let (value, kept) = self.read_late(context, true, place)?;
        Ok((value, self.release(kept)))
    }

    /// What the end of an extended read lets go.
    pub(crate) fn release(self: &Arc<Self>, kept: Option<Kept>) -> Release<T> {
        match kept {
            Some(kept) => Release::Writer(kept),
            None if self.capacity > 0 => Release::Room(Arc::clone(self)),
            None => Release::Nothing,
        }
    }

    #[inline(never)]
    pub(crate) fn read_late(
        &self,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Result<(T, Option<Kept>), Termination> {
        loop {
            let mut state = self.state.lock();
            let found = match state.find(extended) {
                Found::Nothing => return self.wait_for_value(context, state, extended, place),
                Found::InBuffer(value) => Some((value, None)),
                Found::With(writer) => {
                    drop(state);
                    self.receive(context, writer, extended, place)
                }
            };
            if let Some(found) = found {
                context.communicated();
                return Ok(found);
            }
        }
    }

    /// The value of a writer that waits, and, of an `extended` read, the writer. None: it has none after all.
    pub(crate) fn receive(
        &self,
        context: &'static Context,
        writer: Partner<T>,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Option<(T, Option<Kept>)> {
        match writer.take() {
            Some(value) if extended => Some((value, Some(Kept::Writer(writer.hold())))),
            Some(value) => {
                writer.wake();
                Some((value, None))
            }
            None => writer
                .order(context, extended, &self.at(Operation::Handover, place))
                .map(|(value, held)| (value, held.map(Kept::Writer))),
        }
    }

    #[inline(always)]
    fn wait_for_value(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Result<(T, Option<Kept>), Termination> {
        if state.ended.is_some() {
            drop(state);
            return Err(self.meet_end(context, Side::Reader));
        }
        if state.away.is_some() {
            return self.read_far(self.reach(state), context, extended, place);
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(termination);
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a read", "read_async().await");
        }
        let why = self.at(Operation::Read, place);
        let served =
            waiter::stand(context, state, |state| &mut state.readers, None, extended, &why);
        match served.value {
            Some(value) => {
                context.communicated();
                Ok((value, served.held.map(Kept::Writer)))
            }
            None if served.outcome == Outcome::Retry => self.read_late(context, extended, place),
            None => Err(self.meet_end(context, Side::Reader)),
        }
    }

    #[inline(always)]
    pub(crate) fn write(
        &self,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), WriteError<T>> {
        let context = park::current();
        let mut state = self.state.lock_unhurried(|| self.lull());
        match state.place(value) {
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
            Placed::InBuffer => {
                drop(state);
                context.communicated();
                Ok(())
            }
            Placed::Nowhere(value) => self.wait_for_reader(context, state, value, place),
        }
    }

    /// Whether the writer of what a reader was given is to wait until that has done, if its read is extended.
    pub(crate) fn keeps_its_writer(&self, extended: bool) -> bool {
        extended && self.capacity == 0 && !std::thread::panicking()
    }

    /// Lets a reader go on that has its value but keeps its writer, which is the caller.
    #[cold]
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

    #[inline(always)]
    fn wait_for_reader(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), WriteError<T>> {
        if state.ended.is_some() {
            drop(state);
            return Err(WriteError { value, termination: self.meet_end(context, Side::Writer) });
        }
        if state.away.is_some() {
            return self.write_far(self.reach(state), context, value, place);
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(WriteError { value, termination });
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a write", "write_async(value).await");
        }
        let why = self.at(Operation::Write, place);
        let served =
            waiter::stand(context, state, |state| &mut state.writers, Some(value), false, &why);
        match (served.outcome, served.value) {
            (Outcome::Ended, Some(value)) => {
                Err(WriteError { value, termination: self.meet_end(context, Side::Writer) })
            }
            (Outcome::Retry, Some(value)) => self.write_anew(value, place),
            _ => {
                context.communicated();
                Ok(())
            }
        }
    }

    /// Not inlined: a `write` that contains itself would not be, either.
    #[cold]
    #[inline(never)]
    fn write_anew(&self, value: T, place: &'static Location<'static>) -> Result<(), WriteError<T>> {
        self.write(value, place)
    }

    /// [`read`](Self::read) at a channel that is away.
    #[inline(never)]
    fn read_far(
        &self,
        far: Far<T>,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Result<(T, Option<Kept>), Termination> {
        if context.is_polled() {
            crate::awaiting::refuse_beyond();
        }
        loop {
            if let Some(termination) = park::unwinding(context) {
                return Err(termination);
            }
            let read = far.read(context, extended, &self.at(Operation::Read, place));
            match read {
                Ok((opened, finish)) => {
                    let opened = self.opened(opened, finish, context, extended, place);
                    if let Some(found) = opened? {
                        context.communicated();
                        return Ok(found);
                    }
                }
                Err(termination) => {
                    self.learn(Side::Reader, &termination);
                    context.met(&termination);
                    return Err(termination);
                }
            }
        }
    }

    /// The value, if it was one; else the one that was promised. None: the promise was not kept. An error: it was, and the value
    /// could not be put together.
    pub(crate) fn opened(
        &self,
        opened: Opened<T>,
        finish: Option<Finish>,
        context: &'static Context,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Result<Option<(T, Option<Kept>)>, Termination> {
        match opened {
            Opened::Value(value) => Ok(Some((value, finish.map(Kept::Far)))),
            Opened::Late(late) => {
                finish.iter().for_each(Finish::release);
                // Nobody hears of it: it goes with the value, and stands for this channel meanwhile.
                let late = Core::far(late, Side::Reader, 0, self.birth);
                if let Some(name) = Core::name(self) {
                    late.set_name(name.into());
                }
                let found = late.read_late(context, extended, place);
                late.leave(Side::Reader, &Claim::none());
                match found {
                    Ok(found) => Ok(Some(found)),
                    Err(end) if end.poison().is_some_and(Poison::is_of_serialization) => Err(end),
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// [`write`](Self::write) at a channel that is away.
    #[inline(never)]
    fn write_far(
        &self,
        far: Far<T>,
        context: &'static Context,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), WriteError<T>> {
        if context.is_polled() {
            crate::awaiting::refuse_beyond();
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(WriteError { value, termination });
        }
        match far.write(context, &value, &self.at(Operation::Write, place)) {
            Ok(()) => {
                context.communicated();
                Ok(())
            }
            Err(termination) => {
                self.learn(Side::Writer, &termination);
                context.met(&termination);
                Err(WriteError { value, termination })
            }
        }
    }

    /// The value for a reader that awaits it.
    pub(crate) fn keep_promise(
        &self,
        context: &'static Context,
        promise: &Promise<T>,
        value: T,
        place: &'static Location<'static>,
    ) {
        let kept = match self.keeps_its_writer(promise.is_extended()) {
            true => promise.keep_and_wait(value, context, &self.at(Operation::Release, place)),
            false => promise.keep(Made::Value(value, None)),
        };
        if let Err(made) = kept {
            self.return_made(made);
        }
    }

    /// The same; the gate is what there is to await after it.
    pub(crate) fn keep_promise_and_await(
        &self,
        promise: &Promise<T>,
        value: T,
    ) -> Option<Arc<Gate>> {
        let kept = match self.keeps_its_writer(promise.is_extended()) {
            true => promise.keep_and_await(value).map(Some),
            false => promise.keep(Made::Value(value, None)).map(|()| None),
        };
        kept.unwrap_or_else(|made| {
            self.return_made(made);
            None
        })
    }

    /// A value that was made for a reader that has gone.
    pub(crate) fn return_made(&self, made: Made<T>) {
        if let Made::Value(value, _) = made {
            self.give_back(value, false);
        }
    }

    /// A reader that was a future, and was dropped, gives back what it was handed. `room`: it kept that of the value.
    #[cold]
    pub(crate) fn give_back(&self, value: T, room: bool) {
        let mut state = self.state.lock();
        state.held -= usize::from(room && self.capacity > 0);
        let late = state.take_back(value);
        // Its room, if the value went to another reader.
        state.refill();
        drop(state);
        drop(late);
    }

    /// The value that room was reserved for; None: it was never made. An error: the channel is away by now, and it can't travel.
    pub(crate) fn fill(&self, value: Option<T>) -> Result<(), Termination> {
        let mut state = self.state.lock();
        state.held -= 1;
        if state.away.is_some() {
            let far = self.reach(state);
            let packed = value.iter().try_for_each(|value| far.preload(value));
            return packed.map_err(|reason| {
                let process = park::current().path();
                Termination::Poisoned(Poison::new(Cause::Serialization { process, reason }))
            });
        }
        let late = match (&state.ended, value) {
            (Some(Termination::Poisoned(_)), value) => value,
            (Some(_), value) if state.reader_ends == 0 => value,
            (_, value) => {
                // A reader that waits takes the value, and leaves the room to the next writer.
                if let Some(value) = value {
                    state.put(value);
                }
                state.refill();
                None
            }
        };
        drop(state);
        drop(late);
        Ok(())
    }

    /// How long to stay away from a channel that another thread is at: it may do much with what is in the
    /// buffer while its core has the cache lines, and either of two that take turns has to fetch them.
    #[cold]
    fn lull(&self) -> u32 {
        self.capacity.clamp(2, 64) as u32
    }

    /// What a process waits for that is at such an operation here.
    pub(crate) fn at(
        &self,
        operation: Operation,
        place: &'static Location<'static>,
    ) -> Waiting<'_, T> {
        Waiting { core: self, operation, place }
    }

    /// One more end on a side.
    pub(crate) fn join(&self, side: Side) {
        let mut state = self.state.lock();
        let ends = state.ends(side);
        *ends += 1;
        let first = *ends == 1;
        if first && state.away.is_some() {
            self.reach(state).add_end(side);
        }
    }

    /// This end, or handle, is the current process's. `sure`: it can't have let it out.
    pub(crate) fn claim(&self, claim: &Claim, what: Holding, sure: bool) {
        let who = park::current().who();
        claim.by(&mut self.state.lock().holders, Holder { who, what, sure });
    }

    /// One end less; with the last of a side the channel is retired.
    pub(crate) fn leave(&self, side: Side, claim: &Claim) {
        let mut state = self.state.lock();
        state.holders.leave(claim);
        let ends = state.ends(side);
        *ends -= 1;
        let last = *ends == 0;
        if last && state.away.is_some() {
            self.reach(state).drop_end(side);
        } else if last {
            self.end(state, Termination::Retired, side == Side::Writer);
        }
    }

    pub(crate) fn add_handle(&self) {
        self.state.lock().handles += 1;
    }

    /// One handle less; with the last goes a side that has no end.
    pub(crate) fn drop_handle(&self, claim: &Claim) {
        let mut state = self.state.lock();
        state.holders.leave(claim);
        state.handles -= 1;
        if state.handles == 0 && state.away.is_some() {
            self.reach(state).drop_handle();
        } else if state.handles == 0 && (state.reader_ends == 0 || state.writer_ends == 0) {
            let readable = state.reader_ends > 0;
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

    /// `readable`: there are readers, or may be, for what is in the buffer.
    fn end(&self, mut state: Guard<'_, State<T>>, how: Termination, readable: bool) {
        let unread = if readable { VecDeque::new() } else { std::mem::take(&mut state.buffer) };
        let lost = how == Termination::Retired && !unread.is_empty();
        state.end(how);
        drop(state);
        if lost {
            leaks::unread(self, self.listed.scope(), unread.len());
        }
        drop(unread);
    }
}

impl<T> State<T> {
    fn end(&mut self, how: Termination) {
        match (&self.ended, &how) {
            (None, _) | (Some(Termination::Retired), Termination::Poisoned(_)) => {
                self.ended = Some(how);
            }
            _ => {}
        }
        let poison = self.ended != Some(Termination::Retired);
        self.readers.end_all(poison);
        self.writers.end_all(poison);
        if poison {
            self.watchers.end_all(true);
        } else {
            self.tell_watchers();
        }
    }
}

/// Its name, or the place where it was made.
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
        if state.away.is_some() {
            return Needs::Unknown;
        }
        let holders: Runs = state.holders.iter().collect();
        let all = state.reader_ends + state.writer_ends + state.handles;
        let unknown = all - holders.sure().map(|run| run.count).sum::<usize>();
        Needs::Anyone { holders, unknown }
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

    fn break_off(&self, poison: &Poison) {
        let mut state = self.state.lock();
        if state.away.is_some() {
            self.reach(state).poison(&Termination::Poisoned(poison.clone()));
            return;
        }
        let mut unread = std::mem::take(&mut state.buffer);
        state.unread.append(&mut unread);
        state.end(Termination::Poisoned(poison.clone()));
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
    operation: Operation,
    place: &'static Location<'static>,
}

impl<T> Blocked for Waiting<'_, T> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: Some(self.core) });
    }
}
