//! A channel: a buffer, which may have no room at all, between two queues of offers.
//!
//! What holds, whenever the lock is free:
//! - No reader and writer wait here that could serve each other: one of the two is committed elsewhere,
//!   or both are the same process, or an extended read keeps back the room between them.
//! - Readers wait only when the buffer is empty, writers only when it has no room.
//! - `ended` never goes back; poison may follow retirement, not the other way round. Of an ended channel
//!   both queues are empty, of a poisoned one the buffer too.
//!
//! No value is dropped while the lock is held: a `Drop` may use channels.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;

use crate::park::{self, Blocked, Context};
use crate::sync::{Guard, Lock};
use crate::termination::{Termination, WriteError};
use crate::waiter::{self, Held, Outcome, Partner, Queue};

/// What the ends and handles of one channel share.
pub(crate) struct Core<T> {
    state: Lock<State<T>>,
    capacity: usize,
    name: OnceLock<Box<str>>,
    birth: &'static Location<'static>,
}

struct State<T> {
    readers: Queue<T>,
    writers: Queue<T>,
    buffer: VecDeque<T>,
    capacity: usize,
    /// Room in the buffer that extended reads keep back.
    held: usize,
    reader_ends: usize,
    writer_ends: usize,
    handles: usize,
    ended: Option<Termination>,
}

/// Which side of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// What an extended read keeps from going on; let go when dropped.
pub(crate) enum Release<'a, T> {
    /// The writer of the value.
    Writer(#[allow(dead_code, reason = "held for its drop")] Held),
    /// The room that the value had in the buffer.
    Room(&'a Core<T>),
    /// The writer could not wait: it unwinds.
    Nothing,
}

impl<T> Drop for Release<'_, T> {
    fn drop(&mut self) {
        if let Self::Room(core) = self {
            let mut state = core.state.lock();
            state.held -= 1;
            state.refill();
        }
    }
}

impl<T> State<T> {
    #[inline(always)]
    fn has_room(&self) -> bool {
        self.buffer.len() + self.held < self.capacity
    }

    fn ends(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Reader => &mut self.reader_ends,
            Side::Writer => &mut self.writer_ends,
        }
    }

    /// The writer to take a value from directly, where there is no buffer between.
    #[inline(always)]
    fn next_writer(&mut self) -> Option<Partner<T>> {
        if self.capacity == 0 { self.writers.commit_first() } else { None }
    }

    /// The reader to hand a value directly to; one that waits has found the buffer empty.
    #[inline(always)]
    fn next_reader(&mut self) -> Option<Partner<T>> {
        if self.capacity == 0 || self.has_room() { self.readers.commit_first() } else { None }
    }

    /// Room has become free: who waits longest to write, writes.
    #[inline(always)]
    fn refill(&mut self) {
        while self.has_room() {
            let Some(writer) = self.writers.commit_first() else { return };
            let value = writer.take();
            writer.wake();
            match self.readers.commit_first() {
                Some(reader) => {
                    self.held += usize::from(reader.is_extended());
                    reader.put(value);
                    reader.wake();
                }
                None => self.buffer.push_back(value),
            }
        }
    }
}

impl<T> Core<T> {
    pub(crate) fn new(capacity: usize, birth: &'static Location<'static>) -> Self {
        Self {
            state: Lock::new(State {
                readers: Queue::new(),
                writers: Queue::new(),
                buffer: VecDeque::new(),
                capacity,
                held: 0,
                reader_ends: 0,
                writer_ends: 0,
                handles: 1,
                ended: None,
            }),
            capacity,
            name: OnceLock::new(),
            birth,
        }
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

    pub(crate) fn birth(&self) -> &'static Location<'static> {
        self.birth
    }

    /// How the channel has ended for a reader, who may have values left to read, or for a writer.
    pub(crate) fn termination(&self, side: Side) -> Option<Termination> {
        let state = self.state.lock();
        match &state.ended {
            Some(Termination::Retired) if side == Side::Reader && !state.buffer.is_empty() => None,
            ended => ended.clone(),
        }
    }

    /// The end of the channel, as the process that runs into it gets it.
    #[cold]
    fn meet_end(&self, context: &Context) -> Termination {
        let ended = self.state.lock().ended.clone().expect("only an ended channel turns one away");
        context.met(&ended);
        ended
    }

    #[inline(always)]
    pub(crate) fn read(&self, place: &'static Location<'static>) -> Result<T, Termination> {
        let context = park::current();
        let mut state = self.state.lock();
        if let Some(writer) = state.next_writer() {
            let value = writer.take();
            drop(state);
            writer.wake();
            context.communicated();
            return Ok(value);
        }
        if let Some(value) = state.buffer.pop_front() {
            state.refill();
            drop(state);
            context.communicated();
            return Ok(value);
        }
        self.wait_for_value(context, state, false, place).map(|(value, _)| value)
    }

    /// An extended read: what it returns beside the value keeps the writer waiting.
    pub(crate) fn begin(
        &self,
        place: &'static Location<'static>,
    ) -> Result<(T, Release<'_, T>), Termination> {
        let context = park::current();
        let mut state = self.state.lock();
        if let Some(writer) = state.next_writer() {
            drop(state);
            context.communicated();
            return Ok((writer.take(), Release::Writer(writer.hold())));
        }
        if let Some(value) = state.buffer.pop_front() {
            state.held += 1;
            drop(state);
            context.communicated();
            return Ok((value, Release::Room(self)));
        }
        let (value, held) = self.wait_for_value(context, state, true, place)?;
        let release = match held {
            Some(held) => Release::Writer(held),
            None if self.capacity > 0 => Release::Room(self),
            None => Release::Nothing,
        };
        Ok((value, release))
    }

    #[inline(always)]
    fn wait_for_value(
        &self,
        context: &'static Context,
        state: Guard<'_, State<T>>,
        extended: bool,
        place: &'static Location<'static>,
    ) -> Result<(T, Option<Held>), Termination> {
        if state.ended.is_some() {
            drop(state);
            return Err(self.meet_end(context));
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(termination);
        }
        let why = Waiting { core: self, side: Side::Reader, place };
        let served =
            waiter::stand(context, state, |state| &mut state.readers, None, extended, &why);
        match served.value {
            Some(value) => {
                context.communicated();
                Ok((value, served.held))
            }
            None => Err(self.meet_end(context)),
        }
    }

    #[inline(always)]
    pub(crate) fn write(
        &self,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), WriteError<T>> {
        let context = park::current();
        let mut state = self.state.lock();
        if let Some(reader) = state.next_reader() {
            reader.put(value);
            if reader.is_extended() {
                self.serve_extended(context, state, reader, place);
            } else {
                drop(state);
                reader.wake();
            }
            context.communicated();
            return Ok(());
        }
        if state.has_room() && state.ended.is_none() {
            state.buffer.push_back(value);
            drop(state);
            context.communicated();
            return Ok(());
        }
        self.wait_for_reader(context, state, value, place)
    }

    #[cold]
    fn serve_extended(
        &self,
        context: &'static Context,
        mut state: Guard<'_, State<T>>,
        reader: Partner<T>,
        place: &'static Location<'static>,
    ) {
        if self.capacity > 0 {
            state.held += 1;
        }
        drop(state);
        if self.capacity > 0 || std::thread::panicking() {
            reader.wake();
        } else {
            reader.wake_and_wait(context, &Waiting { core: self, side: Side::Writer, place });
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
            return Err(WriteError { value, termination: self.meet_end(context) });
        }
        if let Some(termination) = park::unwinding(context) {
            return Err(WriteError { value, termination });
        }
        let why = Waiting { core: self, side: Side::Writer, place };
        let served =
            waiter::stand(context, state, |state| &mut state.writers, Some(value), false, &why);
        match (served.outcome, served.value) {
            (Outcome::Ended, Some(value)) => {
                Err(WriteError { value, termination: self.meet_end(context) })
            }
            _ => {
                context.communicated();
                Ok(())
            }
        }
    }

    /// One more end on a side.
    pub(crate) fn join(&self, side: Side) {
        *self.state.lock().ends(side) += 1;
    }

    /// One end less; with the last of a side the channel is retired.
    pub(crate) fn leave(&self, side: Side) {
        let mut state = self.state.lock();
        let ends = state.ends(side);
        *ends -= 1;
        if *ends == 0 {
            self.end(state, Termination::Retired, side == Side::Writer);
        }
    }

    pub(crate) fn add_handle(&self) {
        self.state.lock().handles += 1;
    }

    /// One handle less; with the last goes a side that has no end.
    pub(crate) fn drop_handle(&self) {
        let mut state = self.state.lock();
        state.handles -= 1;
        if state.handles == 0 && (state.reader_ends == 0 || state.writer_ends == 0) {
            let readable = state.reader_ends > 0;
            self.end(state, Termination::Retired, readable);
        }
    }

    /// Ends the channel at once for everybody.
    pub(crate) fn poison(&self, poison: Termination) {
        self.end(self.state.lock(), poison, false);
    }

    /// `readable`: there are readers, or may be, for what is in the buffer.
    fn end(&self, mut state: Guard<'_, State<T>>, how: Termination, readable: bool) {
        let unread = if readable { VecDeque::new() } else { std::mem::take(&mut state.buffer) };
        match (&state.ended, &how) {
            (None, _) | (Some(Termination::Retired), Termination::Poisoned(_)) => {
                state.ended = Some(how);
            }
            _ => {}
        }
        state.readers.end_all();
        state.writers.end_all();
        drop(state);
        drop(unread);
    }
}

/// Its name, or the place where it was made.
impl<T> fmt::Display for Core<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.birth.fmt(f),
        }
    }
}

/// A process at a read or a write.
struct Waiting<'a, T> {
    core: &'a Core<T>,
    side: Side,
    place: &'static Location<'static>,
}

impl<T> Blocked for Waiting<'_, T> {
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.side {
            Side::Reader => "read from",
            Side::Writer => "write to",
        };
        write!(f, "{operation} `{}` at {}", self.core, self.place)
    }
}
