//! Threads for what would hold a scheduler up: as many as there are calls at once.
//!
//! Invariant: a job is given to a thread that waits for one, or to a thread made for it; it never waits for another
//! job to end. So no limit can make calls wait for one another in a circle.
#![cfg_attr(loom, allow(dead_code))]

use std::io;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::{park, quiet};

/// How long a thread waits for another job before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// What another thread is to do. It never unwinds.
pub(crate) type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Without room: who sends meets a thread that waits, or nobody.
static WAITING: LazyLock<(Sender<Job<'static>>, Receiver<Job<'static>>)> =
    LazyLock::new(|| bounded(0));

/// Has a thread of the pool do it, at once.
///
/// # Errors
/// When a thread is needed that can't be had; the job is dropped.
pub(crate) fn run(job: Job<'static>) -> io::Result<()> {
    match WAITING.0.try_send(counted(job)) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
            let thread = thread::Builder::new().name("csp io".into()).spawn(|| work(job));
            // What was dropped unrun is no longer counted either.
            thread.map(drop).inspect_err(|_| quiet::fall_asleep())
        }
    }
}

fn work(mut job: Job<'static>) {
    quiet::lend_this_thread();
    loop {
        job();
        match WAITING.1.recv_timeout(IDLE) {
            Ok(next) => job = next,
            Err(_) => return quiet::give_back_this_thread(),
        }
    }
}

/// The job as somebody who is awake, from now until it has ended: what waits for it will be woken.
pub(crate) fn counted(job: Job<'static>) -> Job<'static> {
    quiet::wake();
    Box::new(|| {
        job();
        park::clear_errand();
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
