//! Threads on which other work waits. Before such a thread sleeps, it says so, and another thread may take its place.
//!
//! Only a thread on the way to sleep looks here, so a process that goes on pays nothing for it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

/// Threads that share some work.
pub(crate) trait Crew: Sync {
    /// Says that the calling thread, which is one of them, is about to sleep.
    fn leaves(&self, sleep: Sleep);

    /// Says that it is awake again.
    fn returns(&self, sleep: Sleep);
}

/// How a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Until another thread wakes it. It is no longer counted as awake (see `quiet`).
    Counted,
    /// Until a deadline, or in a call to the system.
    Uncounted,
}

impl Sleep {
    /// Returns the sleep of a process that waits for another, or for its deadline.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        if deadline.is_none() { Self::Counted } else { Self::Uncounted }
    }
}

std::thread_local! {
    static CREW: Cell<Option<&'static dyn Crew>> = const { Cell::new(None) };
}

/// Makes the calling thread belong to these from now on.
pub(crate) fn join(crew: &'static dyn Crew) {
    CREW.set(Some(crew));
}

/// A sleep. It ends when this is dropped.
pub(crate) struct Absence(Option<(&'static dyn Crew, Sleep)>);

/// Says that the calling thread is about to sleep.
pub(crate) fn leave(sleep: Sleep) -> Absence {
    let crew = CREW.try_with(Cell::get).ok().flatten();
    if let Some(crew) = crew {
        crew.leaves(sleep);
    }
    Absence(crew.map(|crew| (crew, sleep)))
}

impl Drop for Absence {
    fn drop(&mut self) {
        if let Some((crew, sleep)) = self.0 {
            crew.returns(sleep);
        }
    }
}

/// All threads for CPU work, as seen by threads that find out whether anybody is awake.
pub(crate) trait Workers: Sync {
    /// Returns how many are counted as awake for work that waits for other processes. It may be negative if
    /// parts of one computation wait.
    fn computing(&self) -> isize;

    /// Returns whether none of them does anything.
    fn rest(&self) -> bool;
}

static WORKERS: OnceLock<&'static dyn Workers> = OnceLock::new();

/// Makes the threads for CPU work known, before the first of them works.
pub(crate) fn know(workers: &'static dyn Workers) {
    let _ = WORKERS.set(workers);
}

/// Returns how many are counted as awake for CPU work that waits: see [`Workers`].
pub(crate) fn computing() -> isize {
    WORKERS.get().map_or(0, |workers| workers.computing())
}

/// Returns whether none of the threads for CPU work does anything.
pub(crate) fn workers_rest() -> bool {
    WORKERS.get().is_none_or(|workers| workers.rest())
}
