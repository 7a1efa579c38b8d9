//! The lines of a channel, and the values that are ahead.

use super::ahead::ValuesAhead;
use super::arrivals::Arrivals;
use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
pub(crate) use crate::commit::queue::line::ToldReaders;
use crate::commit::queue::line::{EARLIEST, ReaderLine, Stamp};
use crate::sync::planted::is_planted;
use crate::wait::park::SchedulerId;

/// Whether a reader may be told of a value that is ahead.
pub(in crate::channel::core) const IS_POSSIBLE: bool = true;

/// After so many values that went to other lines a line gets the next one.
const MOST_PASSED: u32 = 64;

/// So many values may be ahead if one scheduler has all readers, and two more for each reader of the others. Readers that come later
/// cannot take them, however long the first readers are busy.
const MOST_FOR_ONE: usize = 3;

/// The lines of a channel, if it has some.
pub(in crate::channel::core) struct Late<T> {
    /// The scheduler of the plain readers that have come last, or [`SchedulerId::SEVERAL`] if there are lines.
    pub(super) home: SchedulerId,
    pub(super) lines: Option<Box<ReaderLines<T>>>,
}

pub(super) struct ReaderLines<T> {
    /// The line of each scheduler that has had readers.
    pub(super) each: Vec<SchedulerLine<T>>,
    pub(super) ahead: ValuesAhead<T>,
    /// The number of readers that have come to lines.
    pub(super) now: Stamp,
    /// The readers that stand in lines, and those that were told and have not come.
    pub(super) standing: usize,
    pub(super) told: usize,
    /// The moments at which the readers of the queue came.
    pub(super) arrivals: Arrivals,
}

/// The readers of one scheduler.
pub(super) struct SchedulerLine<T> {
    pub(super) scheduler: SchedulerId,
    pub(super) readers: ReaderLine<T>,
    pub(super) told: usize,
    /// The number of values that went to other lines since a value went to this one, while readers were here.
    pub(super) passed: u32,
}

impl<T> Late<T> {
    pub(in crate::channel::core) const fn new() -> Self {
        Self { home: SchedulerId::NONE, lines: None }
    }

    #[inline(always)]
    pub(in crate::channel::core) fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    pub(super) fn on(lines: ReaderLines<T>) -> Self {
        Self { home: SchedulerId::SEVERAL, lines: Some(Box::new(lines)) }
    }

    /// Returns the lines, where a reader has stood in one.
    pub(super) fn lines(&mut self) -> &mut ReaderLines<T> {
        self.lines.as_mut().expect("it stays for ever")
    }

    /// Returns whether a value is ahead.
    pub(in crate::channel::core) fn is_ahead(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| !lines.ahead.is_empty())
    }

    /// Returns whether a reader was told that has not come yet.
    pub(in crate::channel::core) fn is_told(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.told > 0)
    }

    /// Returns whether there are more readers than values ahead.
    #[inline(always)]
    pub(in crate::channel::core) fn is_awaited(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.surplus() > 0)
    }

    /// Tells all readers, because the channel ends, or leaves this OS process.
    #[inline(always)]
    pub(in crate::channel::core) fn tell_all(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.tell_all();
        }
    }

    /// Makes the process with this context look again, if it stands here. A process for which a value may be ahead takes that first.
    /// `last` says that it does not go on. Then its value is returned, which another reader may have.
    pub(in crate::channel::core) fn dismiss(
        &mut self,
        context: usize,
        last: bool,
    ) -> (bool, Option<T>) {
        let Some(lines) = &mut self.lines else { return (false, None) };
        let ahead = !lines.ahead.is_empty();
        for (at, line) in lines.each.iter_mut().enumerate() {
            let Some((stamp, reader)) = line.readers.commit_of(context) else { continue };
            lines.standing -= 1;
            if ahead && !last {
                line.told += 1;
                lines.told += 1;
                reader.wake();
                return (true, None);
            }
            reader.disappoint();
            return (true, lines.ahead.take_after(stamp, at));
        }
        (false, None)
    }
}

impl<T> SchedulerLine<T> {
    pub(super) fn new(scheduler: SchedulerId, readers: ReaderLine<T>) -> Self {
        Self { scheduler, readers, told: 0, passed: 0 }
    }

    /// Returns whether the first reader that stands here came before all others that have no value. One that was told came earlier.
    pub(super) fn serves_first(&self) -> bool {
        let is_first = self.told == 0 || is_planted("a reader goes before one that was told");
        is_first && !self.readers.is_empty()
    }
}

impl<T> ReaderLines<T> {
    /// Returns how many readers have no value.
    #[inline(always)]
    pub(super) fn surplus(&self) -> usize {
        (self.standing + self.told).saturating_sub(self.ahead.len())
    }

    /// Returns the place of the line of this scheduler.
    pub(super) fn line_of(&mut self, scheduler: SchedulerId) -> usize {
        let place = self.each.iter().position(|line| line.scheduler == scheduler);
        place.unwrap_or_else(|| {
            self.each.push(SchedulerLine::new(scheduler, ReaderLine::new()));
            self.each.len() - 1
        })
    }

    /// Returns the line of the reader that has waited longest in some of the lines, and when it came.
    pub(super) fn oldest_of(
        &self,
        which: impl Fn(&SchedulerLine<T>) -> bool,
    ) -> Option<(Stamp, usize)> {
        let lines = self.each.iter().enumerate().filter(|(_, line)| which(line));
        lines.filter_map(|(at, line)| Some((line.readers.first()?, at))).min()
    }

    /// Commits the reader of this line that has waited longest, without a value.
    fn tell(&mut self, at: usize, told: &mut ToldReaders<T>) {
        let line = &mut self.each[at];
        if let Some(reader) = line.readers.commit_first() {
            line.told += 1;
            self.told += 1;
            self.standing -= 1;
            told.push(reader);
        }
    }

    #[cold]
    fn tell_all(&mut self) {
        if is_planted("an end tells nobody") {
            return;
        }
        for at in 0..self.each.len() {
            while !self.each[at].readers.is_empty() {
                self.tell(at, &mut ToldReaders::nobody());
            }
        }
    }

    /// Commits the reader of this line that has waited longest. A value goes to it.
    pub(super) fn commit_first(&mut self, at: usize) -> Option<Partner<T>> {
        let reader = self.each[at].readers.commit_first()?;
        self.standing -= 1;
        self.served(at);
        Some(reader)
    }

    /// Notes that a value goes to this line.
    fn served(&mut self, at: usize) {
        for line in &mut self.each {
            let waits = line.told > 0 || !line.readers.is_empty();
            line.passed = if waits { line.passed + 1 } else { 0 };
        }
        self.each[at].passed = 0;
    }

    /// Returns whether a writer has to wait, though there are readers without a value: they are of few schedulers, and a reader that comes
    /// later may be sooner.
    pub(super) fn is_far_ahead(&self) -> bool {
        let most = self.each.iter().map(|line| line.readers.len() + line.told).max().unwrap_or(0);
        let others = self.standing + self.told - most;
        self.told > 0 && self.ahead.len() >= most_for_one() + 2 * others
    }

    /// Returns whether a reader of this scheduler came before those that come now, and has no value.
    pub(super) fn has_before(&self, scheduler: SchedulerId) -> bool {
        let line = self.each.iter().find(|line| line.scheduler == scheduler);
        self.surplus() > 0 && line.is_some_and(|line| line.told > 0 || !line.readers.is_empty())
    }

    /// Commits the reader that is to have the next value, if that is known, and no value is ahead. `here` is the writer's scheduler.
    pub(super) fn direct(&mut self, here: SchedulerId) -> Option<Partner<T>> {
        if !self.ahead.is_empty() {
            return None;
        }
        let mut only = None;
        for (at, line) in self.each.iter().enumerate() {
            if !line.serves_first() {
                continue;
            }
            if line.passed >= MOST_PASSED && !is_planted("a line is passed for ever") {
                return self.commit_first(at);
            }
            only = Some((at, only.is_none()));
        }
        let (at, is_only) = only?;
        // Its scheduler has to do with the writer, or nobody knows with what.
        if is_only && self.told == 0 && self.each[at].scheduler == here {
            return self.commit_first(at);
        }
        let is_spare = |line: &SchedulerLine<T>| line.serves_first() && line.scheduler.take_spare();
        let spare = self.each.iter().position(is_spare)?;
        self.commit_first(spare)
    }

    /// Keeps a value ahead, and tells one reader of each scheduler.
    pub(super) fn keep(&mut self, value: T) -> ToldReaders<T> {
        self.ahead.push(self.now, value);
        if is_planted("nobody is told") {
            return ToldReaders::nobody();
        }
        self.tell_each()
    }

    /// Tells a reader of each scheduler that has readers, and of which none was told.
    pub(super) fn tell_each(&mut self) -> ToldReaders<T> {
        let mut told = ToldReaders::nobody();
        if is_planted("a line is not told of a writer") && self.told > 0 {
            return told;
        }
        for at in 0..self.each.len() {
            if self.each[at].told == 0 {
                self.tell(at, &mut told);
            }
        }
        told
    }

    /// Notes that a reader of this line has come that was told.
    pub(super) fn came(&mut self, at: usize) {
        self.told -= 1;
        self.each[at].told -= 1;
    }

    /// Takes the first value that came after this moment, for a reader of this line. It is a call of its own, because without optimisation
    /// it has room for the value.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn take_after(&mut self, stamp: Stamp, at: usize, to: &Parcel<T>) -> bool {
        let after = if is_planted("a value for a later reader") { EARLIEST } else { stamp };
        let Some(value) = self.ahead.take_after(after, at) else { return false };
        to.put(value);
        self.served(at);
        true
    }

    /// Tells the next reader of this line, if there is something for it. The caller is a reader of this line that has been told, and will
    /// not stand again.
    pub(super) fn tell_next(&mut self, at: usize, writers: bool, told: &mut ToldReaders<T>) {
        if is_planted("the next is not told") {
            return;
        }
        let newest = self.ahead.newest();
        let line = &self.each[at];
        let next = line.readers.first();
        // A writer that waits may be for any reader, as long as its line has none that came before.
        let is_for = |next| writers || newest.is_some_and(|it| it > next);
        if line.told == 0 && next.is_some_and(is_for) {
            self.tell(at, told);
        }
        if self.told == 0
            && (writers || newest.is_some())
            && let Some((_, at)) = self.oldest_of(|_| true)
        {
            self.tell(at, told);
        }
    }
}

fn most_for_one() -> usize {
    #[cfg(all(test, loom))]
    if let Some(number) = crate::models::most_for_one() {
        return number;
    }
    MOST_FOR_ONE
}
