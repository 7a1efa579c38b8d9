//! Values that are written to a channel with lines.

use super::super::state::{Found, Placed, Placing, ReaderPlace, State, UNUSUAL};
use super::ahead::ValuesAhead;
use super::arrivals::Arrivals;
use super::lines::{Late, ReaderLines, SchedulerLine};
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{BEHIND, ReaderLine, Stamp, ToldReaders, commit_in_turn};
use crate::sync::planted::is_planted;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context, SchedulerId};

impl<T> State<T> {
    /// Returns the place of the process that runs, if it is a plain reader.
    #[inline(always)]
    pub(in crate::channel::core) fn place_of(&mut self, context: &'static Context) -> ReaderPlace {
        let scheduler = context.scheduler();
        if scheduler == self.late.home { ReaderPlace::Queue } else { self.begins(scheduler) }
    }

    /// Returns the place of an extended reader.
    pub(in crate::channel::core) fn place_of_extended(&self) -> ReaderPlace {
        if self.late.is_on() { ReaderPlace::BesideLines } else { ReaderPlace::Queue }
    }

    #[cold]
    fn begins(&mut self, scheduler: SchedulerId) -> ReaderPlace {
        if scheduler == SchedulerId::NONE {
            return self.place_of_extended();
        }
        if self.late.is_on() {
            return ReaderPlace::Line;
        }
        // While one thread alone used the channel nobody noted its scheduler.
        let mut home = self.late.home;
        if home == SchedulerId::NONE && !is_planted("nobody looks for the owner's readers") {
            home = ReaderLine::scheduler_of(&self.readers);
        }
        // The network is on several schedulers, because this one is a worker's, and another one has used the channel. That one may write
        // more than the worker can do, and more readers are to come.
        let at_once = self.reader_ends > 1 && scheduler.is_worker() || has_lines_at_once();
        let is_first = home == SchedulerId::NONE && !at_once;
        if self.capacity != 0 || is_first || home == scheduler {
            self.late.home = scheduler;
            return ReaderPlace::Queue;
        }
        let mut readers = ReaderLine::new();
        let stay = is_planted("readers that stood before stay in the queue");
        if home != SchedulerId::NONE && !stay {
            readers.take_from(&mut self.readers, home);
        }
        let uncounted = is_planted("readers that stood before are not counted");
        let standing = if uncounted { 0 } else { readers.len() };
        self.late = Late::on(ReaderLines {
            each: vec![SchedulerLine::new(home, readers)],
            ahead: ValuesAhead::new(),
            now: BEHIND + 1,
            standing,
            told: 0,
            arrivals: Arrivals::new(),
        });
        self.capacity = UNUSUAL;
        ReaderPlace::Line
    }

    /// Returns the line of a plain reader that comes, and the moment.
    pub(super) fn comes_to_line(&mut self, scheduler: SchedulerId) -> (usize, Stamp) {
        let lines = self.late.lines();
        let now = lines.now;
        lines.now += 1;
        (lines.line_of(scheduler), now)
    }

    /// Returns whether the plain reader with this context has to stand though a writer waits, because others of its scheduler stand.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::core) fn stands_behind(&self, context: &'static Context) -> bool {
        let lines = self.late.lines.as_ref();
        let is_behind = lines.is_some_and(|lines| lines.has_before(context.scheduler()));
        is_behind
            && self.ended.is_none()
            && !is_planted("a reader takes what a writer kept for others")
    }

    /// Finds a place for a value at an unusual channel. The parcel is passed only to calls that are inlined, as in
    /// [`write`](super::super::Core::write).
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(in crate::channel::core) fn place_late(
        &mut self,
        value: &Parcel<T>,
        whose: Placing,
    ) -> Placed<T> {
        match self.place_in_lines(value.open(), whose) {
            Ok(placed) => placed,
            Err(kept) => {
                value.put(kept);
                Placed::Nowhere
            }
        }
    }

    /// Does this. The error is the value that has no place.
    #[cold]
    #[inline(never)]
    fn place_in_lines(&mut self, value: T, whose: Placing) -> Result<Placed<T>, T> {
        if self.ended.is_some() || self.away.is_some() || self.has_returned() {
            return Err(value);
        }
        if let Some(reader) = self.first_of_queue() {
            self.hand(&reader, &Parcel::full(value));
            return Ok(Placed::With(reader));
        }
        let Some(lines) = &mut self.late.lines else { return Err(value) };
        if lines.surplus() == 0 && !is_planted("more values than readers") {
            return Err(value);
        }
        let context = park::current();
        if let Some(reader) = lines.direct(context.scheduler()) {
            self.hand(&reader, &Parcel::full(value));
            return Ok(Placed::With(reader));
        }
        let waits = match whose {
            Placing::Plain => !context.is_polled() && !std::thread::panicking(),
            Placing::Offer => true,
            Placing::Now => false,
        };
        let others =
            lines.told > 0 && !self.writers.is_empty() && !is_planted("a writer overtakes");
        let is_far = || whose == Placing::Plain && lines.is_far_ahead();
        // A choice that reads and a writer do not both wait.
        if waits && self.readers.is_empty() && (others || is_far()) {
            // They get the lock once the writer stands.
            drop(lines.tell_each());
            return Err(value);
        }
        Ok(Placed::InBuffer(lines.keep(value)))
    }

    /// Returns whether there is a value that a reader has given back.
    fn has_returned(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Notes when the last reader of the queue came, if there are lines.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::core) fn note_last_reader(&mut self) {
        if let Some(lines) = &mut self.late.lines
            && !is_planted("nobody notes when a reader came to the queue")
        {
            lines.arrivals.note_last(&self.readers, lines.now);
        }
    }

    /// Commits the first reader of the queue, if it came before those that stand in lines, or no value can go to these.
    fn first_of_queue(&mut self) -> Option<Partner<T>> {
        let lines = self.late.lines.as_ref()?;
        // A reader behind one that was told can't be served yet, so it holds up nobody.
        let oldest = lines.oldest_of(SchedulerLine::serves_first);
        let has_turn = |offer| {
            let is_before = |(oldest, _)| lines.arrivals.of(offer) <= oldest;
            lines.surplus() == 0
                || oldest.is_none_or(is_before) && !is_planted("a choice lets all go before it")
        };
        commit_in_turn(&mut self.readers, has_turn)
    }

    /// Finds a value for a reader that was told, and came to its line at this moment. `leaves` says that it does not stand again. It finds
    /// what is ahead before it looks at writers. It is served before those that came later, so the next one is told only if it does
    /// not stand again.
    pub(super) fn find_told(
        &mut self,
        (at, stamp): (usize, Stamp),
        leaves: bool,
        to: &Parcel<T>,
        told: &mut ToldReaders<T>,
    ) -> Found<T> {
        let takes_nothing = is_planted("a reader that is told takes nothing");
        let had_writers = !self.writers.is_empty();
        let found = if !takes_nothing && self.late.lines().take_after(stamp, at, to) {
            Found::InBuffer(Wakes::new())
        } else if leaves || is_planted("no look at writers") {
            Found::Nothing
        } else {
            self.find(false, None, || to)
        };
        if leaves || !matches!(found, Found::Nothing) {
            let writers = !self.writers.is_empty();
            self.late.lines().tell_next(at, writers, told);
        } else if is_planted("told in vain, it lets the next go first") {
            self.late.lines().tell_next(at, had_writers, told);
        }
        found
    }

    /// Makes the process with this context look again, if it stands in a line. `last` says that it does not go on. The parcel has its
    /// value, if nobody else may have that.
    pub(in crate::channel::core) fn dismiss_late(
        &mut self,
        context: usize,
        last: bool,
        later: &mut Wakes,
    ) -> (bool, Option<Parcel<T>>) {
        let (here, value) = self.late.dismiss(context, last);
        let value = value.map(Parcel::full);
        value.iter().for_each(|value| self.take_back(value, later));
        (here, value)
    }

    /// Commits a reader for a value that is still to be made.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::core) fn late_customer(&mut self) -> Option<Partner<T>> {
        let first = self.first_of_queue();
        if first.is_some() || self.has_returned() {
            return first;
        }
        let lines = self.late.lines.as_mut()?;
        // No value that is ahead is for it, because then a reader of its line would have been told.
        let (_, at) = lines.oldest_of(SchedulerLine::serves_first)?;
        lines.commit_first(at)
    }
}

/// Returns whether a channel has lines from the first reader on. That is so in most models.
fn has_lines_at_once() -> bool {
    #[cfg(all(test, loom))]
    return crate::models::has_lines_at_once();
    #[cfg(not(all(test, loom)))]
    false
}
