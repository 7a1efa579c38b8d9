//! The part of a scheduler that the schedulers of other cores see.
//!
//! Invariants:
//!
//! - Only a thread that is at the queue of unstarted processes changes `bound` and `stealable`.
//!
//! - Only the scheduler's own thread writes `begun`, `ended`, `started` and `stacks`, and uses a `Cell`.

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
    /// The number of processes in the queue that stay here, and of those that others may take.
    pub(super) bound: AtomicUsize,
    pub(super) stealable: AtomicUsize,
    /// The processes that others may take at once.
    pub(super) known: Known,
    /// The process that is being measured.
    pub(super) sampled: Cell<Option<Sampled>>,
    /// The next process that is measured is the one with this number among those that have begun.
    pub(super) sample: Cell<u32>,
    /// The number of processes that have begun, and of jobs that were started here.
    pub(super) begun: AtomicU32,
    /// The number of processes that have ended.
    pub(super) ended: AtomicU32,
    pub(super) started: AtomicU32,
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
            bound: AtomicUsize::new(0),
            stealable: AtomicUsize::new(0),
            known: Known::new(),
            sampled: Cell::new(None),
            sample: Cell::new(1),
            ended: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            started: AtomicU32::new(0),
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

    /// Counts processes that were put into the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn queued(&self, loose: Loose, n: usize) {
        add(self.counter(loose), n);
    }

    /// Counts processes that were taken out of the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn fewer(&self, loose: Loose, n: usize) {
        subtract(self.counter(loose), n);
    }

    #[inline(always)]
    fn counter(&self, loose: Loose) -> &AtomicUsize {
        if loose.is_on_evidence() { &self.stealable } else { &self.bound }
    }

    /// Returns how many processes wait for their start here.
    pub(super) fn waiting(&self) -> usize {
        self.bound.load(Ordering::Relaxed) + self.spare()
    }

    /// Returns how many processes have begun and not ended. Other threads may find a number that is too high or too low by some.
    pub(super) fn alive(&self) -> usize {
        let ended = self.ended.load(Ordering::Relaxed);
        let alive = self.begun.load(Ordering::Relaxed).wrapping_sub(ended).cast_signed();
        usize::try_from(alive).unwrap_or(0)
    }

    /// Returns how many processes there are that others may take.
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
fn add(counter: &AtomicUsize, n: usize) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

#[inline(always)]
fn subtract(counter: &AtomicUsize, n: usize) {
    counter.store(counter.load(Ordering::Relaxed) - n, Ordering::Relaxed);
}
