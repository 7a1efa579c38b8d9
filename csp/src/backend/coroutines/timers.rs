//! The deadlines of parked coroutines.
//!
//! A coroutine has at most one deadline, and counts its armings. An entry of the heap is dead if it is not from the
//! last arming, or if its coroutine no longer waits. Dead entries are removed when they outnumber the live ones, so
//! a deadline that is never reached costs no more than its arming.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::wait::park::Context;

/// A waiter that may have a deadline. It is never freed.
pub(super) trait Timed: 'static {
    fn context(&'static self) -> &'static Context;

    /// Returns the count of its armings.
    fn armings(&self) -> &Cell<u64>;

    /// Returns the deadline that was armed last.
    fn armed_until(&self) -> &Cell<Option<Instant>>;
}

pub(super) struct Timers<T: Timed> {
    heap: RefCell<BinaryHeap<Reverse<Armed<T>>>>,
    armed: Cell<usize>,
}

struct Armed<T: Timed> {
    deadline: Instant,
    coroutine: &'static T,
    /// The number of the arming, because the same deadline may be armed again and again.
    arming: u64,
}

impl<T: Timed> PartialEq for Armed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.deadline == other.deadline
    }
}

impl<T: Timed> Eq for Armed<T> {}

impl<T: Timed> PartialOrd for Armed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Timed> Ord for Armed<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline.cmp(&other.deadline)
    }
}

impl<T: Timed> Armed<T> {
    fn is_dead(&self) -> bool {
        !self.coroutine.context().berth.armed.get() || self.coroutine.armings().get() != self.arming
    }
}

impl<T: Timed> Timers<T> {
    pub(super) const fn new() -> Self {
        Self { heap: RefCell::new(BinaryHeap::new()), armed: Cell::new(0) }
    }

    pub(super) fn arm(&self, coroutine: &'static T, deadline: Instant) {
        let arming = coroutine.armings().get() + 1;
        coroutine.armings().set(arming);
        coroutine.context().berth.armed.set(true);
        coroutine.armed_until().set(Some(deadline));
        self.armed.set(self.armed.get() + 1);
        let mut heap = self.heap.borrow_mut();
        heap.push(Reverse(Armed { deadline, coroutine, arming }));
        if heap.len() > 2 * self.armed.get() + 64 {
            heap.retain(|Reverse(entry)| !entry.is_dead());
        }
    }

    /// Removes the deadline of a coroutine that no longer waits.
    #[inline(always)]
    pub(super) fn disarm(&self, coroutine: &'static T) {
        if coroutine.context().berth.armed.replace(false) {
            self.armed.set(self.armed.get() - 1);
        }
    }

    /// Removes all entries when the thread ends, because nobody is to be woken here any more. They are dead by then, and only
    /// their armings tell the next thread so.
    pub(super) fn clear(&self) {
        self.heap.borrow_mut().clear();
        self.armed.set(0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.armed.get() == 0
    }

    /// Returns the earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        let mut heap = self.heap.borrow_mut();
        while let Some(Reverse(entry)) = heap.peek() {
            if !entry.is_dead() {
                return Some(entry.deadline);
            }
            heap.pop();
        }
        None
    }

    /// Disarms and returns a coroutine whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<&'static T> {
        let deadline = self.next()?;
        if deadline > now {
            return None;
        }
        let Reverse(entry) = self.heap.borrow_mut().pop()?;
        self.disarm(entry.coroutine);
        Some(entry.coroutine)
    }
}
