//! The deadlines of parked coroutines.
//!
//! A coroutine has one deadline at most, and counts its armings: an entry of the heap that is not of the last of
//! them, or whose coroutine waits no longer, is dead. The dead are cleared away when they outnumber the living, so a deadline
//! that is never reached costs no more than its arming.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::scheduler::Coroutine;

#[derive(Default)]
pub(super) struct Timers {
    heap: RefCell<BinaryHeap<Reverse<Entry>>>,
    armed: std::cell::Cell<usize>,
}

struct Entry {
    deadline: Instant,
    coroutine: &'static Coroutine,
    /// Which one; the same deadline may be armed again and again.
    arming: u64,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.deadline == other.deadline
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline.cmp(&other.deadline)
    }
}

impl Entry {
    fn is_dead(&self) -> bool {
        !self.coroutine.context().berth.armed.get() || self.coroutine.armings.get() != self.arming
    }
}

impl Timers {
    pub(super) fn arm(&self, coroutine: &'static Coroutine, deadline: Instant) {
        let arming = coroutine.armings.get() + 1;
        coroutine.armings.set(arming);
        coroutine.context().berth.armed.set(true);
        coroutine.deadline.set(Some(deadline));
        self.armed.set(self.armed.get() + 1);
        let mut heap = self.heap.borrow_mut();
        heap.push(Reverse(Entry { deadline, coroutine, arming }));
        if heap.len() > 2 * self.armed.get() + 64 {
            heap.retain(|Reverse(entry)| !entry.is_dead());
        }
    }

    /// The coroutine waits no longer.
    #[inline(always)]
    pub(super) fn disarm(&self, coroutine: &'static Coroutine) {
        if coroutine.context().berth.armed.replace(false) {
            self.armed.set(self.armed.get() - 1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.armed.get() == 0
    }

    /// The earliest deadline.
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

    /// A coroutine whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<&'static Coroutine> {
        let deadline = self.next()?;
        if deadline > now {
            return None;
        }
        let Reverse(entry) = self.heap.borrow_mut().pop()?;
        self.disarm(entry.coroutine);
        Some(entry.coroutine)
    }
}
