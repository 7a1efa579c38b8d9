//! The state of a channel behind its lock: a buffer, which may have no room at all, between two queues of offers.
//!
//! These invariants hold whenever the lock is free:
//! - No reader and writer wait here that could serve each other. Either one of the two is committed elsewhere, or both are the
//!   same process, or an extended read keeps back the room between them.
//! - Readers wait only when the buffer is empty, writers only when it has no room.
//! - A reader that is a future may be dropped with a value that it was handed. That value then stands first in the buffer, even
//!   if there is no room.
//! - `ended` never goes back. Poison may follow retirement, but not the other way round. An ended channel has empty queues. A
//!   poisoned one has an empty buffer, too.
//! - A channel is *away* once an end of it has left this OS process. Then queues and buffer are empty for good and there is no
//!   room. So all operations find nothing here, and come to the one place that asks whether it is away.

use std::collections::VecDeque;

use super::late::{self, Late, ToldReaders};
use super::remembered::Remembered;
use crate::channel::far::{Away, Far};
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::queue::Queue;
use crate::report::termination::Termination;
use crate::wait::blocked::Side;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;
use crate::wait::seen::holders::Holders;

/// The fields that a rendezvous touches come first. With the lock they are one cache line.
#[repr(C)]
pub(crate) struct State<T> {
    pub(crate) readers: Queue<T>,
    pub(crate) writers: Queue<T>,
    /// Or [`UNUSUAL`].
    pub(super) capacity: usize,
    pub(crate) ended: Option<Termination>,
    /// Other OS processes have ends of it, or are about to.
    pub(super) away: Option<Away<T>>,
    pub(super) buffer: VecDeque<T>,
    /// The processes that wait for the channel to retire.
    pub(crate) watchers: Queue<()>,
    /// Room in the buffer that extended reads keep back, or that is kept for a value still to be made.
    pub(super) held: usize,
    /// The readers of several schedulers, where several use the channel.
    pub(super) late: Late<T>,
    pub(super) reader_ends: usize,
    pub(super) writer_ends: usize,
    pub(super) handles: usize,
    /// The holders of these, as far as they are known.
    pub(super) holders: Holders,
    /// The values that were in the buffer when a thread that may not drop them poisoned the channel.
    pub(super) unread: VecDeque<T>,
    pub(super) remembered: Remembered,
}

/// The mark of a channel without room at which operations look further: a reader has given a value back, or readers stand in lines. It
/// stands in the word that each operation looks at anyway. It is the sign of that word, because a look at a sign needs no constant.
pub(super) const UNUSUAL: usize = 1 << (usize::BITS - 1);

/// The largest capacity. No program has memory for so many values.
pub(super) const MOST: usize = UNUSUAL - 1;

/// The kind of a write, for a channel whose readers stand in lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placing {
    /// A write that does nothing else. It may wait for a reader that comes.
    Plain,
    /// An offer of a choice or a future. It waits behind other writers only.
    Offer,
    /// A value that came back.
    Now,
}

/// The place in which a reader stands.
pub(crate) enum ReaderPlace {
    /// The queue of a channel without lines.
    Queue,
    /// The line of its scheduler.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    Line,
    /// The queue of a channel with lines.
    #[allow(dead_code, reason = "for schedulers on several cores")]
    BesideLines,
}

/// The place where a reader finds a value.
pub(crate) enum Found<T> {
    /// With this writer, which waits.
    With(Partner<T>),
    /// The value was taken. These are to be woken when the lock is free.
    InBuffer(Wakes),
    Nothing,
}

/// The place that a writer finds for a value.
pub(crate) enum Placed<T> {
    /// With this reader, which waits.
    With(Partner<T>),
    /// In the buffer, or ahead. These readers are to be woken when the lock is free.
    InBuffer(ToldReaders<T>),
    Nowhere,
}

impl<T> State<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            readers: Queue::new(),
            writers: Queue::new(),
            watchers: Queue::new(),
            buffer: VecDeque::new(),
            capacity,
            held: 0,
            late: Late::new(),
            reader_ends: 0,
            writer_ends: 0,
            handles: 1,
            holders: Holders::default(),
            ended: None,
            unread: VecDeque::new(),
            remembered: Remembered::nothing(),
            away: None,
        }
    }

    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        (self.buffer.len() + self.held).cast_signed() < self.room()
    }

    /// Returns the room for values: below 0 if the capacity is [`UNUSUAL`].
    #[inline(always)]
    fn room(&self) -> isize {
        self.capacity.cast_signed()
    }

    /// Returns whether readers may stand in lines.
    #[inline(always)]
    fn may_have_lines(&self) -> bool {
        late::IS_POSSIBLE && self.room() < 0
    }

    pub(super) fn ends(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Reader => &mut self.reader_ends,
            Side::Writer => &mut self.writer_ends,
        }
    }

    /// Notes that a reader has come to the queue.
    #[inline(always)]
    pub(crate) fn reader_came(&mut self) {
        if self.may_have_lines() {
            self.note_last_reader();
        }
    }

    /// Returns whether nothing is in the buffer, and no room in it is kept.
    pub(crate) fn is_vacant(&self) -> bool {
        self.buffer.is_empty() && self.held == 0
    }

    pub(crate) fn queue(&mut self, side: Side) -> &mut Queue<T> {
        match side {
            Side::Reader => &mut self.readers,
            Side::Writer => &mut self.writers,
        }
    }

    /// Finds a value for a reader. A value from the buffer is put into the parcel. An `extended` read keeps the room that it had. A
    /// `plain` reader may have to stand behind others of its scheduler.
    #[inline(always)]
    pub(crate) fn find<'a>(
        &mut self,
        extended: bool,
        plain: Option<&'static Context>,
        to: impl FnOnce() -> &'a Parcel<T>,
    ) -> Found<T>
    where
        T: 'a,
    {
        if self.capacity == 0 {
            return self.find_writer();
        }
        if self.buffer.is_empty() {
            let behind = |context| self.stands_behind(context);
            if self.may_have_lines() && !plain.is_some_and(behind) {
                return self.find_writer();
            }
            return Found::Nothing;
        }
        self.take_first(to());
        let mut later = Wakes::new();
        if self.room() <= 0 {
            self.takes_returned();
        } else if extended {
            self.held += 1;
        } else {
            self.refill(&mut later);
        }
        self.tell_watchers(&mut later);
        Found::InBuffer(later)
    }

    #[inline(always)]
    fn find_writer(&mut self) -> Found<T> {
        match self.writers.commit_first() {
            Some(writer) => Found::With(writer),
            None => Found::Nothing,
        }
    }

    /// Takes the first value. Without optimisation this is a call of its own, because it has room for a value that its caller does
    /// not need.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn take_first(&mut self, to: &Parcel<T>) {
        if let Some(value) = self.buffer.pop_front() {
            to.put(value);
        }
    }

    /// Adds a value. It is a call of its own for the same reason.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn add_last(&mut self, value: &Parcel<T>) {
        self.buffer.push_back(value.open());
    }

    /// Finds a place for a value. A reader that waits has found the buffer empty.
    #[inline(always)]
    pub(crate) fn place(&mut self, value: &Parcel<T>, whose: Placing) -> Placed<T> {
        if (self.capacity == 0 || self.has_room())
            && let Some(reader) = self.readers.commit_first()
        {
            self.hand(&reader, value);
            return Placed::With(reader);
        }
        if self.capacity > 0 && self.has_room() && self.ended.is_none() {
            self.add_last(value);
            return Placed::InBuffer(ToldReaders::nobody());
        }
        if self.may_have_lines() {
            return self.place_late(value, whose);
        }
        Placed::Nowhere
    }

    #[inline(always)]
    pub(super) fn hand(&mut self, reader: &Partner<T>, value: &Parcel<T>) {
        reader.put(value);
        if self.room() > 0 && reader.is_extended() {
            self.held += 1;
        }
    }

    /// Commits a reader for a value that is still to be made.
    pub(crate) fn customer(&mut self) -> Option<Partner<T>> {
        match self.capacity {
            0 => self.readers.commit_first(),
            UNUSUAL if self.late.is_on() => self.late_customer(),
            _ => None,
        }
    }

    /// Reserves room in the buffer for a value that is still to be made. Returns false if there is none.
    pub(crate) fn reserve(&mut self) -> bool {
        let free = self.has_room() && self.ended.is_none();
        self.held += usize::from(free);
        free
    }

    /// Lets the writers that wait longest write, because room has become free.
    #[inline(always)]
    pub(super) fn refill(&mut self, later: &mut Wakes) {
        while self.has_room() {
            let Some(writer) = self.writers.commit_first() else { return };
            let value = Parcel::empty();
            let made = writer.pass(&value);
            writer.wake_later(later);
            if made {
                self.put(&value, later);
            } else {
                // It makes its value only now, and the room is kept for it.
                self.held += 1;
            }
        }
    }

    /// Hands a value to a reader, or puts it into the buffer, which has room.
    pub(super) fn put(&mut self, value: &Parcel<T>, later: &mut Wakes) {
        match self.readers.commit_first() {
            Some(reader) => {
                self.hand(&reader, value);
                reader.wake_later(later);
            }
            None => self.add_last(value),
        }
    }

    /// Returns whether an operation on this side is likely to find a partner, or a value in the buffer, or room in it.
    pub(crate) fn is_likely(&self, side: Side) -> bool {
        match side {
            Side::Reader => !self.buffer.is_empty() || !self.writers.is_empty(),
            Side::Writer => {
                !self.readers.is_empty()
                    || (self.has_room() && self.ended.is_none())
                    || self.late.is_awaited()
            }
        }
    }

    /// Returns whether other OS processes have ends of the channel.
    pub(crate) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Returns how the channel is reached, if it is away and ready.
    pub(crate) fn far(&self) -> Option<Far<T>> {
        self.away.as_ref()?.far()
    }

    /// Returns whether the home of the channel serves its operations: the channel is away, and has not ended.
    #[inline(always)]
    pub(super) fn goes_on_elsewhere(&self) -> bool {
        self.ended.is_none() && self.away.is_some()
    }

    /// Gives a value that a reader was handed and has not taken to the next reader. The parcel keeps it if no reader can have it.
    pub(super) fn take_back(&mut self, value: &Parcel<T>, later: &mut Wakes) {
        if self.ended.as_ref().is_some_and(|ended| ended.poison().is_some())
            || self.reader_ends == 0
        {
            return;
        }
        let reader = match self.late.is_on() {
            true => match self.place_late(value, Placing::Now) {
                Placed::With(reader) => return reader.wake_later(later),
                Placed::InBuffer(_) => return,
                Placed::Nowhere => None,
            },
            false => self.readers.commit_first(),
        };
        match reader {
            Some(reader) => {
                self.hand(&reader, value);
                reader.wake_later(later);
            }
            None => {
                self.buffer.push_front(value.open());
                if self.room() <= 0 {
                    self.capacity = UNUSUAL;
                }
            }
        }
    }

    #[cold]
    fn takes_returned(&mut self) {
        if self.buffer.is_empty() && !self.late.is_on() {
            self.capacity = 0;
        }
    }

    /// Returns whether the channel is retired and has nothing left to read.
    pub(crate) fn is_retired(&self) -> bool {
        self.ended == Some(Termination::Retired) && self.buffer.is_empty()
    }

    #[inline(always)]
    fn tell_watchers(&mut self, later: &mut Wakes) {
        if self.ended.is_some() && self.is_retired() {
            while let Some(watcher) = self.watchers.commit_first() {
                watcher.wake_later(later);
            }
        }
    }

    pub(super) fn end(&mut self, how: Termination, later: &mut Wakes) {
        match (&self.ended, &how) {
            (None, _) | (Some(Termination::Retired), Termination::Poisoned(_)) => {
                self.ended = Some(how);
            }
            _ => {}
        }
        let poison = self.ended != Some(Termination::Retired);
        self.readers.end_all(poison, later);
        self.late.tell_all();
        self.writers.end_all(poison, later);
        if poison {
            self.watchers.end_all(true, later);
        } else {
            self.tell_watchers(later);
        }
    }
}
