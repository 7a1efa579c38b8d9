//! The part of a scheduler that the schedulers of other cores see.
//!
//! Invariants:
//!
//! - Only a thread that is at the queue of unstarted processes changes `entered` and `stealable`.
//!
//! - `stealable` is the number of jobs in that queue that others may take. Each of them has a process that has not begun.
//!
//! - Only the scheduler's own thread writes `begun`, `alive`, `started` and `stacks`, and uses a `Cell`.
//!
//! A process that begins changes only `begun` and `until_sample`, because most processes are short. All other numbers change less
//! often.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::known::{Known, Sampled};
use super::loose::Loose;
use crate::backend::coroutines::unstarted::Unstarted;
use crate::sync::search::Station;

pub(in crate::backend::coroutines) struct Share {
    /// The number of processes that have come into the queue of unstarted processes. Those that have left it without beginning here are
    /// subtracted.
    entered: AtomicUsize,
    pub(super) stealable: AtomicUsize,
    /// The processes that others may take at once.
    pub(super) known: Known,
    /// The process that is being measured.
    pub(super) sampled: Cell<Option<Sampled>>,
    /// The number of processes that begin until one is measured, with that one.
    pub(super) until_sample: Cell<u32>,
    /// The number of processes that have begun, and of jobs that were started here.
    pub(super) begun: AtomicUsize,
    pub(super) started: AtomicU32,
    /// The number of coroutines that run processes.
    alive: AtomicUsize,
    /// The number of stacks that were made, and of those that have had their first turn. A new stack is cold, so both take long.
    pub(super) stacks: AtomicU32,
    /// Processes that other schedulers have placed here, and their number.
    placed: Mutex<VecDeque<Unstarted>>,
    pub(super) to_come: AtomicUsize,
    /// Something has come into the queue while the scheduler had nothing to do.
    pub(super) news: Cell<bool>,
    pub(super) membership: Cell<Membership>,
    /// Its place among the members. The value 0 means that it is none.
    pub(super) place: AtomicUsize,
    /// It is a worker, to others.
    pub(super) works: AtomicBool,
    /// The state of a worker, for others.
    pub(super) station: Station,
    /// The worker is the one that searches.
    pub(super) searches: Cell<bool>,
    /// It counts among those that need a core.
    pub(super) busy: Cell<bool>,
    /// The turn and the time of the last look that was timed.
    pub(super) timed: Cell<Option<(u32, Instant)>>,
    /// The number of looks that are not timed now.
    pub(super) untimed: Cell<u32>,
    /// The turn in which a process was last started though others were ready.
    pub(super) last_start: Cell<u32>,
    /// The OS process in which it counts so.
    pub(super) generation: Cell<u32>,
    /// The clock of its thread's CPU time. The value 0 means none.
    pub(super) clock: AtomicI32,
}

/// The relation of a scheduler to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// It has not started a process yet.
    Unknown,
    /// Its processes stay with it.
    Alone,
    /// Others may take processes from it.
    Member,
    /// It also takes processes from others: its thread does nothing else.
    Worker,
}

impl Share {
    pub(in crate::backend::coroutines) fn new() -> Self {
        Self {
            entered: AtomicUsize::new(0),
            stealable: AtomicUsize::new(0),
            known: Known::new(),
            sampled: Cell::new(None),
            until_sample: Cell::new(1),
            begun: AtomicUsize::new(0),
            started: AtomicU32::new(0),
            alive: AtomicUsize::new(0),
            stacks: AtomicU32::new(0),
            placed: Mutex::default(),
            to_come: AtomicUsize::new(0),
            news: Cell::new(false),
            membership: Cell::new(Membership::Unknown),
            place: AtomicUsize::new(0),
            works: AtomicBool::new(false),
            station: Station::new(),
            searches: Cell::new(false),
            busy: Cell::new(false),
            timed: Cell::new(None),
            untimed: Cell::new(0),
            last_start: Cell::new(0),
            generation: Cell::new(0),
            clock: AtomicI32::new(0),
        }
    }

    /// Counts a stack that was made here, or one that has had its first turn.
    pub(in crate::backend::coroutines) fn makes_stack(&self) {
        count(&self.stacks);
    }

    /// Counts a job of `n` processes that was put into the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn queued(&self, loose: Loose, n: usize) {
        add(&self.entered, n);
        add(&self.stealable, usize::from(loose.is_on_evidence()));
    }

    /// Counts a job that is taken out of the queue, and whose `n` processes do not begin here. The caller is at the queue.
    pub(in crate::backend::coroutines) fn removed(&self, loose: Loose, n: usize) {
        self.dequeued(loose);
        subtract(&self.entered, n);
    }

    /// Counts what a thief has taken out of the queue: whole `jobs`, and these processes with those of the jobs. The thief is at
    /// the queue.
    pub(super) fn stolen(&self, jobs: usize, processes: usize) {
        subtract(&self.stealable, jobs);
        subtract(&self.entered, processes);
    }

    /// Counts a job that has left the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn dequeued(&self, loose: Loose) {
        subtract(&self.stealable, usize::from(loose.is_on_evidence()));
    }

    /// Says that a coroutine begins to run processes, one after another.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins_batch(&self) {
        add(&self.alive, 1);
    }

    #[inline(always)]
    pub(in crate::backend::coroutines) fn ends_batch(&self) {
        subtract(&self.alive, 1);
    }

    /// Returns how many processes wait for their start here. Other threads may find a number that is too high or too low by some.
    fn waiting(&self) -> usize {
        let entered = self.entered.load(Ordering::Relaxed).wrapping_add(self.known.entered());
        let waiting = entered.wrapping_sub(self.begun.load(Ordering::Relaxed));
        usize::try_from(waiting.cast_signed()).unwrap_or(0)
    }

    /// Returns how many processes have begun and not ended.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Returns a number that is 0 if there is no process that others may take, and 1 only if there is one job that they may take.
    #[inline(always)]
    pub(super) fn spare(&self) -> usize {
        self.stealable.load(Ordering::Relaxed) + self.known.count()
    }

    /// Returns whether something has come that a scheduler without work has to look at.
    pub(in crate::backend::coroutines) fn has_news(&self) -> bool {
        self.news.get() || self.station.is_called()
    }

    /// Returns its number among the schedulers that share work, from 0, if it is one of them.
    pub(in crate::backend::coroutines) fn number(&self) -> Option<usize> {
        self.place.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(super) fn is_worker(&self) -> bool {
        self.membership.get() == Membership::Worker
    }

    /// Returns how many processes there are here, started or not.
    pub(super) fn load(&self) -> usize {
        self.waiting() + self.alive() + self.to_come.load(Ordering::Relaxed)
    }

    /// Returns whether the counters agree with the queues. The scheduler's own thread asks this, and is at its `queue` of unstarted processes.
    pub(super) fn counts_all(&self, queue: &VecDeque<Unstarted>) -> bool {
        let known = self.known.queue();
        let is_loose = |job: &&Unstarted| job.loose.is_on_evidence();
        let left = |jobs: &VecDeque<Unstarted>| jobs.iter().map(Unstarted::left).sum::<usize>();
        self.waiting() == left(queue) + left(&known)
            && self.known.count() == left(&known)
            && self.stealable.load(Ordering::Relaxed) == queue.iter().filter(is_loose).count()
    }

    pub(super) fn placed(&self) -> MutexGuard<'_, VecDeque<Unstarted>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one, where only the caller writes.
#[inline(always)]
pub(super) fn count(counter: &AtomicU32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Adds where only the caller writes.
#[inline(always)]
pub(super) fn add(counter: &AtomicUsize, n: usize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[inline(always)]
fn subtract(counter: &AtomicUsize, n: usize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
}
