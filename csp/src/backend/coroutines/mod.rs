//! Coroutines: many processes on one thread, each with a stack of its own.
//!
//! A thread that starts one becomes their scheduler, and schedules whenever it waits itself. A started
//! coroutine stays on its thread.

mod engine;
mod generator;
mod marks;
mod scheduler;
mod timers;

use std::sync::Arc;

use crate::process::job::Work;

pub(super) fn start(work: Arc<dyn Work>) {
    scheduler::Scheduler::of_this_thread().start(work);
}
