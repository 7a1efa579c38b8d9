//! Processes that are known to be brief and to take their time: others take them at once, without evidence and without a barrier.
//!
//! Their locks have no owner, and their queue has a plain lock. A barrier takes longer than many such processes.
//!
//! Invariants:
//!
//! - `count` is the number of processes in the queue, for all who hold its lock. Only they change `count` and `entered`.
//!
//! - Only a scheduler's own thread puts processes into its queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::backend::coroutines::unstarted::Unstarted;
use crate::process::definition::Habit;
use crate::process::work::Work;

pub(super) struct Known {
    queue: Mutex<VecDeque<Unstarted>>,
    count: AtomicUsize,
    /// The number of processes that have come into the queue. Those that have left it without beginning here are subtracted.
    entered: AtomicUsize,
}

/// A process that is being measured.
#[derive(Clone, Copy)]
pub(super) struct Sampled {
    pub(super) habit: &'static Habit,
    /// The turn in which it began.
    pub(super) turn: u32,
    pub(super) since: Instant,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), count: AtomicUsize::new(0), entered: AtomicUsize::new(0) }
    }

    /// Returns how many processes there are.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns how many processes have come, without those that begin elsewhere.
    pub(super) fn entered(&self) -> usize {
        self.entered.load(Ordering::Relaxed)
    }

    /// Counts processes that came, or left without beginning here. The caller holds the queue.
    fn count_all(&self, count: usize, entered: usize) {
        self.count.store(count, Ordering::Relaxed);
        self.entered.store(entered, Ordering::Relaxed);
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, VecDeque<Unstarted>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, all: impl IntoIterator<Item = Unstarted>) {
        let mut queue = self.queue();
        for unstarted in all {
            let n = unstarted.left();
            self.count_all(self.count() + n, self.entered().wrapping_add(n));
            queue.push_back(unstarted);
        }
    }

    /// Takes the second half.
    pub(super) fn take_half(&self) -> VecDeque<Unstarted> {
        let mut queue = self.queue();
        let mut taken = VecDeque::new();
        let mut wanted = self.count().div_ceil(2);
        self.count_all(self.count() - wanted, self.entered().wrapping_sub(wanted));
        while wanted > 0
            && let Some(last) = queue.back_mut()
        {
            let n = last.left().min(wanted);
            wanted -= n;
            taken.push_front(last.split_off(n));
            if last.left() == 0 {
                queue.pop_back();
            }
        }
        taken
    }

    /// Takes the next process, if a stack of this size suits it. Its job replaces the one in `held`.
    #[inline(never)]
    pub(super) fn take_one(&self, stack: usize, held: &mut Option<Arc<dyn Work>>) -> Option<usize> {
        let mut queue = self.queue();
        let first = queue.front_mut().filter(|first| first.stack == stack)?;
        let index = first.next;
        first.next += 1;
        let work = match first.left() {
            0 => queue.pop_front()?.work,
            _ => Arc::clone(&first.work),
        };
        self.count.store(self.count() - 1, Ordering::Relaxed);
        drop(queue);
        *held = Some(work);
        Some(index)
    }

    pub(super) fn take_all(&self) -> VecDeque<Unstarted> {
        let mut queue = self.queue();
        self.count_all(0, self.entered().wrapping_sub(self.count()));
        std::mem::take(&mut *queue)
    }
}
