//! Coroutines: many processes on one thread, each with a stack of its own.
//!
//! A thread that starts one becomes their scheduler, and schedules whenever it waits itself. A started
//! coroutine stays on its thread.

mod engine;
mod generator;
mod marks;
mod questions;
mod scheduler;
mod timers;

use std::sync::{Arc, Mutex, PoisonError};

use self::scheduler::Scheduler;
use crate::park::Observer;
use crate::process::job::Work;

pub(super) fn start(work: Arc<dyn Work>) {
    Scheduler::of_this_thread().start(work);
}

/// Shows the coroutines of all schedulers; gives the observer back.
pub(super) fn survey<O: Observer + Send + 'static>(observer: O) -> O {
    let observer = Arc::new(Mutex::new(observer));
    for scheduler in Scheduler::all() {
        let answer = Arc::clone(&observer);
        let answered = questions::ask(scheduler, move |scheduler| {
            scheduler.show(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
        });
        if !answered {
            scheduler.show_busy(&mut *observer.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
    // A question that was answered has dropped its share by now.
    let observer = Arc::into_inner(observer).expect("nobody answers any more");
    observer.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread does that waits for its turn to ask.
pub(super) fn answer_meanwhile() {
    Scheduler::answer_now();
}
