//! Floor 5. Coroutines: many processes on one thread, each with a stack of its own.
//!
//! A thread that starts one becomes their scheduler, and schedules whenever it waits itself. A started coroutine
//! stays on its thread.

#[cfg(feature = "cores")]
mod cores;
#[cfg(not(feature = "cores"))]
#[path = "cores/absent.rs"]
mod cores;
mod coroutine;
mod ending;
mod guest;
mod marks;
mod questions;
mod scheduler;
mod sleeping;
mod timers;
mod unstarted;
mod view;

use std::sync::Arc;

use self::scheduler::Scheduler;
use crate::process::work::Work;

#[cfg(feature = "cores")]
pub(super) use self::cores::place;
pub(super) use self::guest::{Guest, welcome};

pub(super) fn start(work: Arc<dyn Work>) {
    Scheduler::of_this_thread().start(work);
}

/// Makes this thread a scheduler, unless it is one already.
pub(super) fn make_scheduler() {
    Scheduler::of_this_thread();
}
