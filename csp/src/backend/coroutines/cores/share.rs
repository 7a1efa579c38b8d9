//! The part of a scheduler that the schedulers of other cores see.
//!
//! Invariants:
//!
//! - Only a thread that is at the queue of unstarted processes changes `queued` and `stealable`.
//!
//! - Only the scheduler's own thread writes `alive`, `begun` and `started`, and uses a `Cell`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::loose::Loose;
use crate::backend::coroutines::unstarted::Unstarted;
use crate::sync::search::Station;

pub(in crate::backend::coroutines) struct Share {
    /// The number of processes in the queue.
    pub(super) queued: AtomicUsize,
    /// The number of those that others may take.
    pub(super) stealable: AtomicUsize,
    /// The number of processes that have begun and not ended.
    pub(super) alive: AtomicUsize,
    /// The number of processes that have begun, and of jobs that were started here.
    pub(super) begun: AtomicU32,
    pub(super) started: AtomicU32,
    /// Processes that other schedulers have placed here, and their number.
    placed: Mutex<VecDeque<Unstarted>>,
    pub(super) to_come: AtomicUsize,
    /// Something has come into the queue while the scheduler had nothing to do.
    pub(super) news: Cell<bool>,
    pub(super) membership: Cell<Membership>,
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
            queued: AtomicUsize::new(0),
            stealable: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            begun: AtomicU32::new(0),
            started: AtomicU32::new(0),
            placed: Mutex::default(),
            to_come: AtomicUsize::new(0),
            news: Cell::new(false),
            membership: Cell::new(Membership::Unknown),
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

    /// Counts processes that were put into the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn queued(&self, loose: Loose, n: usize) {
        add(&self.queued, n);
        if loose.0 {
            add(&self.stealable, n);
        }
    }

    /// Counts processes that were taken out of the queue. The caller is at the queue.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn fewer(&self, loose: Loose, n: usize) {
        subtract(&self.queued, n);
        if loose.0 {
            subtract(&self.stealable, n);
        }
    }

    /// Counts a process that begins here.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins(&self) {
        count(&self.begun);
        add(&self.alive, 1);
    }

    #[inline(always)]
    pub(in crate::backend::coroutines) fn ends(&self) {
        subtract(&self.alive, 1);
    }

    /// Returns whether something has come that a scheduler without work has to look at.
    pub(in crate::backend::coroutines) fn has_news(&self) -> bool {
        self.news.get() || self.station.is_called()
    }

    pub(super) fn is_worker(&self) -> bool {
        self.membership.get() == Membership::Worker
    }

    /// Returns how many processes there are here, started or not.
    pub(super) fn load(&self) -> usize {
        let all = [&self.queued, &self.alive, &self.to_come];
        all.iter().map(|count| count.load(Ordering::Relaxed)).sum()
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
