//! A pool of threads for work that would hold a scheduler up. It has as many threads as there are calls at once.
//!
//! Invariant: a job is given to a thread that waits for one, or to a new thread. It never waits for another job to
//! end. So no limit can make calls wait for one another in a circle.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::system::forked::Afresh;
use crate::system::quiet;
use crate::wait::park;

/// The time that a thread waits for another job before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// The work for another thread. It never unwinds.
pub(crate) type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// The place where threads without a job wait for one.
#[derive(Default)]
struct Meeting {
    waiting: Mutex<Waiting>,
    given: Condvar,
}

/// There are never more jobs than threads.
#[derive(Default)]
struct Waiting {
    threads: usize,
    jobs: VecDeque<Job<'static>>,
}

impl Meeting {
    fn here() -> &'static Self {
        static MEETING: Afresh<Meeting> = Afresh::new();
        MEETING.get(Self::default)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job to a thread that waits, or gives it back.
    fn give(&self, job: Job<'static>) -> Option<Job<'static>> {
        let mut waiting = self.waiting();
        if waiting.threads == waiting.jobs.len() {
            return Some(job);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.given.notify_one();
        None
    }

    /// Waits for a job.
    fn take(&self) -> Option<Job<'static>> {
        let until = Instant::now() + IDLE;
        let mut waiting = self.waiting();
        waiting.threads += 1;
        loop {
            let job = waiting.jobs.pop_front();
            let left = until.saturating_duration_since(Instant::now());
            if job.is_some() || left.is_zero() {
                waiting.threads -= 1;
                return job;
            }
            let waited = self.given.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Has a thread of the pool do the job at once.
///
/// # Errors
/// Returns an error if a new thread is needed and the system has none. The job is then dropped.
pub(crate) fn run(job: Job<'static>) -> io::Result<()> {
    let Some(job) = Meeting::here().give(counted(job)) else { return Ok(()) };
    let thread = thread::Builder::new().name("csp io".into()).spawn(|| work(job));
    // A job that was dropped without being run is no longer counted either.
    thread.map(drop).inspect_err(|_| quiet::fall_asleep())
}

fn work(job: Job<'static>) {
    quiet::lend_this_thread();
    let mut next = Some(job);
    while let Some(job) = next {
        job();
        next = Meeting::here().take();
    }
    quiet::give_back_this_thread();
}

/// Counts the job as awake from now until it has ended, because it will wake the process that waits for it.
pub(crate) fn counted(job: Job<'static>) -> Job<'static> {
    quiet::wake();
    Box::new(|| {
        quiet::lent(|| park::errand(job));
        quiet::fall_asleep();
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_that_wait_for_one_another_all_run() {
        const JOBS: usize = 100;
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(JOBS));
        let (over, all_over) = mpsc::channel();
        for _ in 0..JOBS {
            let (barrier, over) = (barrier.clone(), over.clone());
            run(Box::new(move || {
                barrier.wait();
                over.send(()).unwrap();
            }))
            .unwrap();
        }
        assert_eq!(all_over.iter().take(JOBS).count(), JOBS);
    }
}
