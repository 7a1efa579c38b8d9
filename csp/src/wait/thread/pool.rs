//! A pool of threads for work that would hold a scheduler up. It has as many threads as there are calls at once.
//!
//! Invariant: a job is given to a thread that waits for one, or to a new thread. It never waits for another job to
//! end. So no limit can make calls wait for one another in a circle.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::time::Duration;
use std::{io, thread};

use crate::system::forked::Afresh;
use crate::system::quiet;
use crate::wait::park;

/// The time that a thread waits for another job before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// The work for another thread. It never unwinds.
pub(crate) type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A channel without room: a sender meets a thread that waits, or nobody.
type Meeting = (Sender<Job<'static>>, Receiver<Job<'static>>);

fn waiting() -> &'static Meeting {
    static WAITING: Afresh<Meeting> = Afresh::new();
    WAITING.get(|| bounded(0))
}

/// Has a thread of the pool do the job at once.
///
/// # Errors
/// Returns an error if a new thread is needed and the system has none. The job is then dropped.
pub(crate) fn run(job: Job<'static>) -> io::Result<()> {
    match waiting().0.try_send(counted(job)) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
            let thread = thread::Builder::new().name("csp io".into()).spawn(|| work(job));
            // A job that was dropped without being run is no longer counted either.
            thread.map(drop).inspect_err(|_| quiet::fall_asleep())
        }
    }
}

fn work(mut job: Job<'static>) {
    quiet::lend_this_thread();
    loop {
        job();
        match waiting().1.recv_timeout(IDLE) {
            Ok(next) => job = next,
            Err(_) => return quiet::give_back_this_thread(),
        }
    }
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
