//! The lines of a channel, and the values that are ahead.

use std::collections::VecDeque;

use crate::commit::offer::Partner;
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{ReaderLine, Stamp};
use crate::sync::planted::is_planted;
use crate::wait::park::SchedulerId;

/// Whether a reader may be told of a value that is ahead.
pub(in crate::channel::core) const IS_POSSIBLE: bool = true;

/// After so many values that went to other lines a line gets the next one.
const MOST_PASSED: u32 = 64;

/// The lines of a channel, if it has some.
pub(in crate::channel::core) struct Late<T> {
    /// The scheduler of the plain readers that have come last, or [`SchedulerId::SEVERAL`] if there are lines.
    pub(super) home: SchedulerId,
    pub(super) lines: Option<Box<ReaderLines<T>>>,
}

pub(super) struct ReaderLines<T> {
    pub(super) lines: Vec<OfScheduler<T>>,
    /// The values that are ahead, and the moments at which they came.
    pub(super) ahead: VecDeque<(Stamp, T)>,
    /// The number of readers that have come to lines.
    pub(super) now: Stamp,
    /// The readers that stand in lines, and those that were told and have not come.
    pub(super) standing: usize,
    pub(super) told: usize,
    /// The moment at which the first reader of the queue came, or was first seen there.
    pub(super) queued: Option<Stamp>,
}

/// The readers of one scheduler.
pub(super) struct OfScheduler<T> {
    pub(super) scheduler: SchedulerId,
    pub(super) line: ReaderLine<T>,
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

    /// Returns the lines, where a reader has stood in one.
    pub(super) fn lines(&mut self) -> &mut ReaderLines<T> {
        self.lines.as_mut().expect("it stays for ever")
    }

    /// Returns whether a value is ahead.
    pub(in crate::channel::core) fn is_ahead(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| !lines.ahead.is_empty())
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
        for of in &mut lines.lines {
            let Some((stamp, reader)) = of.line.commit_of(context) else { continue };
            lines.standing -= 1;
            if ahead && !last {
                of.told += 1;
                lines.told += 1;
                reader.wake();
                return (true, None);
            }
            reader.disappoint();
            let first = lines.first_after(stamp);
            return (true, lines.ahead.remove(first).map(|(_, value)| value));
        }
        (false, None)
    }
}

impl<T> OfScheduler<T> {
    /// Returns whether the first reader that stands here came before all others that have no value. One that was told came earlier.
    pub(super) fn serves_first(&self) -> bool {
        let is_first = self.told == 0 || is_planted("a reader goes before one that was told");
        is_first && self.line.first().is_some()
    }
}

impl<T> ReaderLines<T> {
    /// Returns how many readers have no value.
    #[inline(always)]
    pub(super) fn surplus(&self) -> usize {
        (self.standing + self.told).saturating_sub(self.ahead.len())
    }

    /// Returns the place of the line of this scheduler.
    pub(super) fn of(&mut self, scheduler: SchedulerId) -> usize {
        self.lines.iter().position(|of| of.scheduler == scheduler).unwrap_or_else(|| {
            self.lines.push(OfScheduler { scheduler, line: ReaderLine::new(), told: 0, passed: 0 });
            self.lines.len() - 1
        })
    }

    /// Returns the line of the reader that has waited longest in some of the lines, and when it came.
    pub(super) fn oldest_of(
        &self,
        which: impl Fn(&OfScheduler<T>) -> bool,
    ) -> Option<(Stamp, usize)> {
        let lines = self.lines.iter().enumerate().filter(|(_, of)| which(of));
        lines.filter_map(|(at, of)| Some((of.line.first()?, at))).min()
    }

    fn tell(&mut self, at: usize) {
        let of = &mut self.lines[at];
        if let Some(reader) = of.line.commit_first() {
            of.told += 1;
            self.told += 1;
            self.standing -= 1;
            reader.wake();
        }
    }

    #[cold]
    fn tell_all(&mut self) {
        if is_planted("an end tells nobody") {
            return;
        }
        for at in 0..self.lines.len() {
            while self.lines[at].line.first().is_some() {
                self.tell(at);
            }
        }
    }

    /// Commits the reader of this line that has waited longest. A value goes to it.
    pub(super) fn commit_first(&mut self, at: usize) -> Option<Partner<T>> {
        let reader = self.lines[at].line.commit_first()?;
        self.standing -= 1;
        self.served(at);
        Some(reader)
    }

    /// Notes that a value goes to this line.
    fn served(&mut self, at: usize) {
        for of in &mut self.lines {
            let waits = of.told > 0 || of.line.first().is_some();
            of.passed = if waits { of.passed + 1 } else { 0 };
        }
        self.lines[at].passed = 0;
    }

    /// Commits the reader that is to have the next value, if that is known, and no value is ahead.
    pub(super) fn direct(&mut self) -> Option<Partner<T>> {
        if !self.ahead.is_empty() {
            return None;
        }
        let mut only = None;
        for (at, of) in self.lines.iter().enumerate() {
            if !of.serves_first() {
                continue;
            }
            if of.passed >= MOST_PASSED {
                return self.commit_first(at);
            }
            only = if only.is_none() { Some((at, true)) } else { Some((at, false)) };
        }
        let (at, is_only) = only?;
        if is_only && self.told == 0 {
            return self.commit_first(at);
        }
        let is_spare = |of: &OfScheduler<T>| of.serves_first() && of.scheduler.take_spare();
        let spare = self.lines.iter().position(is_spare)?;
        self.commit_first(spare)
    }

    /// Keeps a value ahead, and tells one reader of each scheduler.
    pub(super) fn keep(&mut self, value: T) {
        self.ahead.push_back((self.now, value));
        if is_planted("nobody is told") {
            return;
        }
        for at in 0..self.lines.len() {
            if self.lines[at].told == 0 {
                self.tell(at);
            }
        }
    }

    /// Returns the place of the first value that came after this moment.
    fn first_after(&self, stamp: Stamp) -> usize {
        self.ahead.partition_point(|(moment, _)| *moment <= stamp)
    }

    /// Takes this value. It is a call of its own, because without optimisation it has room for the value.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn take_at(&mut self, at: usize, to: &Parcel<T>) -> bool {
        let Some((_, value)) = self.ahead.remove(at) else { return false };
        to.put(value);
        true
    }

    /// Takes the first value that came after the reader, which was told. The next reader is told if there is something for it.
    pub(super) fn take(&mut self, at: usize, stamp: Stamp, writers: bool, to: &Parcel<T>) -> bool {
        self.told -= 1;
        self.lines[at].told -= 1;
        if is_planted("a reader that is told takes nothing") {
            return false;
        }
        let first = match is_planted("a value for a later reader") {
            true => 0,
            false => self.first_after(stamp),
        };
        let found = self.take_at(first, to);
        if found {
            self.served(at);
        }
        if !is_planted("the next is not told") {
            let newest = self.ahead.back().map(|(moment, _)| *moment);
            let of = &self.lines[at];
            let next = of.line.first();
            // A writer that waits may be for any reader, as long as its line has none that came before.
            let is_for = |next| writers || newest.is_some_and(|it| it > next);
            if of.told == 0 && next.is_some_and(is_for) {
                self.tell(at);
            }
            if self.told == 0
                && (writers || newest.is_some())
                && let Some((_, at)) = self.oldest_of(|_| true)
            {
                self.tell(at);
            }
        }
        found
    }
}
