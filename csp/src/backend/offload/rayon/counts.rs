//! The counts by which threads that share jobs replace those that sleep in a job.
//!
//! Invariant: turns to come and turns left to stand-ins are together at least as many as jobs in the queue. If threads of the
//! pool sleep while jobs stand in the queue, as many stand-ins work.
//!
//! *A job and a sleeper don't miss each other.* A job is put into the queue before the sleepers are counted. A sleeper counts
//! itself before it looks into the queue. A fence stands in between on both sides. A stand-in that ends does as a sleeper does.

use crate::sync::{AtomicUsize, Ordering, fence};

/// The threads that are counted, and their queue.
pub(crate) trait Threads {
    fn has_jobs(&self) -> bool;
    /// Returns how many threads the pool has.
    fn size(&self) -> usize;
    /// Starts a stand-in, which calls [`PoolCounts::stand_in`]. Returns false if there is no thread for it.
    fn start_stand_in(&self) -> bool;
    /// Says that a job is counted as awake from now on.
    fn wake(&self);
    /// Says that a job no longer is.
    fn fall_asleep(&self);
}

pub(crate) struct PoolCounts {
    /// The number of jobs that have not ended.
    under_way: AtomicUsize,
    /// The number of threads of the pool that sleep in a job.
    away: AtomicUsize,
    /// The number of stand-ins that have a job and do not sleep.
    standing_in: AtomicUsize,
    /// The number of turns that were left to stand-ins, because they came to a stack that was not free.
    left: AtomicUsize,
}

impl PoolCounts {
    pub(crate) fn new() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            away: AtomicUsize::new(0),
            standing_in: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
        }
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn away(&self) -> usize {
        self.away.load(Ordering::SeqCst)
    }

    pub(crate) fn standing_in(&self) -> usize {
        self.standing_in.load(Ordering::SeqCst)
    }

    /// Counts a job that will be put into the queue. It counts as awake until it has ended, because it will wake the
    /// process that waits for it.
    pub(crate) fn job_begins(&self, threads: &impl Threads) {
        threads.wake();
        self.under_way.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn job_has_ended(&self, threads: &impl Threads) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        threads.fall_asleep();
    }

    /// Looks after a job that has been put into the queue.
    pub(crate) fn job_came(&self, threads: &impl Threads) {
        // A thread that leaves counts itself as away and then looks into the queue. Here the job is put into the queue
        // before the number of threads that are away is read.
        between("came");
        self.relieve(threads, self.away());
    }

    /// Takes a turn: does the first job if the stack is free for it.
    pub(crate) fn turn(
        &self,
        threads: &impl Threads,
        is_free: bool,
        do_first: impl FnOnce() -> bool,
    ) {
        if is_free {
            do_first();
        } else {
            self.left.fetch_add(1, Ordering::SeqCst);
        }
        self.relieve_for_what_is_left(threads);
    }

    /// Runs a stand-in. `do_first` does the first job and returns whether there was one. `rest` is called when the stand-in
    /// has no job any more.
    pub(crate) fn stand_in(
        &self,
        threads: &impl Threads,
        mut do_first: impl FnMut() -> bool,
        rest: impl FnOnce(),
    ) {
        while do_first() {
            let less = |left: usize| left.checked_sub(1);
            let goes_on = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
                || self.standing_in() <= self.away();
            if !goes_on {
                break;
            }
        }
        rest();
        self.standing_in.fetch_sub(1, Ordering::SeqCst);
        between("ends");
        // A turn that was left while this stand-in still worked relied on it.
        self.relieve_for_what_is_left(threads);
    }

    /// Says that a thread of the pool is about to sleep in a job.
    pub(crate) fn leaves(&self, threads: &impl Threads) {
        let away = self.away.fetch_add(1, Ordering::SeqCst) + 1;
        between("leaves");
        self.relieve(threads, away);
    }

    /// Says that it is awake again.
    pub(crate) fn returns(&self) {
        self.away.fetch_sub(1, Ordering::SeqCst);
    }

    /// Says that a stand-in is about to sleep in a job.
    pub(crate) fn stand_in_leaves(&self, threads: &impl Threads) {
        let before = self.standing_in.fetch_sub(1, Ordering::SeqCst);
        between("leaves");
        self.relieve(threads, before);
    }

    /// Says that it is awake again.
    pub(crate) fn stand_in_returns(&self) {
        self.standing_in.fetch_add(1, Ordering::SeqCst);
    }

    /// Has stand-ins work while there are jobs in the queue, at most `up_to` of them.
    fn relieve(&self, threads: &impl Threads, up_to: usize) {
        while threads.has_jobs() {
            let more = |now| (now < up_to).then_some(now + 1);
            if self.standing_in.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
                return;
            }
            if !threads.start_stand_in() {
                // The job stays where it is. The next thread that ends a job or sleeps tries again.
                self.standing_in.fetch_sub(1, Ordering::SeqCst);
                return;
            }
        }
    }

    /// Does the same for the turns that were left, and for the threads that are away.
    fn relieve_for_what_is_left(&self, threads: &impl Threads) {
        let left = self.left.load(Ordering::SeqCst).min(threads.size());
        self.relieve(threads, left.max(self.away()));
    }
}

/// The fence between what a thread has changed and what it looks at next.
#[inline(always)]
fn between(_which: &'static str) {
    #[cfg(all(test, loom))]
    if crate::models::is_planted(_which) {
        return;
    }
    fence(Ordering::SeqCst);
}
