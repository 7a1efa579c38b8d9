//! One thread searches for work while others make it: no work is overlooked, and nobody looks for what is not there.
//!
//! Invariant: if there is work that a worker may take on, then a thread searches, or no worker is idle, or a thread is about
//! to look again.
//!
//! - A thread that has made work looks afterwards whether somebody searches. If not, it calls an idle worker.
//! - A worker that finds nothing says that it is idle, ends its search, and then looks once more before it sleeps.
//! - A worker that finds work ends its search, takes the work, and then calls another worker if there is more. If it needed no
//!   heavy barrier to take the work, it hands over its search, or ends it afterwards.
//!
//! Words that several threads change are only exchanged: `loom` cannot follow a plain store between exchanges by others.
//!
//! The thread that makes work passes no more than a light barrier in between, because the others pass the heavy one. So
//! one of the two sees what the other has done.

use super::planted::is_planted;
use super::stealing::{heavy_barrier, light_barrier};
use super::{AtomicBool, AtomicU32, Ordering, fence};
use crate::system::shared;

/// Whether a thread searches, or was called to search.
pub(crate) struct WorkSearch {
    on: AtomicBool,
}

/// A worker, as the search sees it.
pub(crate) struct Station {
    state: AtomicU32,
}

/// The worker has something to do, or searches.
const UP: u32 = 0;
/// It sleeps or is about to, and may be called.
const IDLE: u32 = 1;
/// It was called: it is the one that searches.
const CALLED: u32 = 2;

/// The workers that may be called.
pub(crate) trait Roster {
    /// Returns whether there is work that an idle worker may take on.
    fn has_work(&self) -> bool;
    /// Returns whether one more worker may take on work, if there is any.
    fn has_room(&self) -> bool;
    /// Returns whether some worker is idle.
    fn has_idle(&self) -> bool;
    /// Calls an idle worker, which now searches. Returns false if there is none.
    fn call(&self) -> bool;
}

impl Station {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(UP) }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.load(Ordering::SeqCst) == IDLE
    }

    /// Returns whether it was called and has not risen since.
    pub(crate) fn is_called(&self) -> bool {
        self.state.load(Ordering::Relaxed) == CALLED
    }

    /// Calls the worker, if it is idle. The caller then wakes it.
    pub(crate) fn call(&self) -> bool {
        self.state.compare_exchange(IDLE, CALLED, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Ends the rest of the calling worker. Returns whether it was called. Then it is the one that searches.
    pub(crate) fn rise(&self) -> bool {
        self.state.swap(UP, Ordering::SeqCst) == CALLED
    }
}

impl WorkSearch {
    pub(crate) fn new() -> Self {
        Self { on: AtomicBool::new(false) }
    }

    /// Looks after work that the caller has made.
    #[inline(always)]
    pub(crate) fn work_came(&self, workers: &impl Roster) {
        if !is_planted("no barrier behind the work") {
            light_barrier();
        }
        if !self.on.load(Ordering::Relaxed) {
            self.find_one(workers);
        }
    }

    /// Calls an idle worker, unless one searches. The caller has passed a barrier since it made or saw the work.
    #[cold]
    #[inline(never)]
    pub(crate) fn find_one(&self, workers: &impl Roster) {
        // A thread that has given back a core passes one too, and looks for work: one of the two sees the other.
        fence(Ordering::SeqCst);
        // A worker that falls idle meanwhile sees that somebody searches. So the caller looks again when that is over.
        while workers.has_room() && workers.has_idle() && workers.has_work() {
            shared::wrote();
            if self.on.swap(true, Ordering::SeqCst) || workers.call() {
                return;
            }
            self.end();
            fence(Ordering::SeqCst);
            if is_planted("no look when none was found") {
                return;
            }
        }
    }

    /// Makes the calling worker the one that searches. Returns false if another one does.
    pub(crate) fn begin(&self) -> bool {
        !self.on.load(Ordering::Relaxed) && {
            shared::wrote();
            !self.on.swap(true, Ordering::SeqCst)
        }
    }

    /// Ends the search of the calling worker, which has found work. It passes a heavy barrier while it takes the work, and
    /// then calls [`find_one`](Self::find_one).
    pub(crate) fn end(&self) {
        shared::wrote();
        self.on.swap(false, Ordering::SeqCst);
    }

    /// Ends the search of the calling worker, which has found work without a heavy barrier. If there is more work, another
    /// worker goes on with the search, so that there is no moment without one.
    pub(crate) fn pass_on(&self, workers: &impl Roster) {
        if workers.has_idle() && workers.has_work() && workers.call() {
            return;
        }
        self.end();
        fence(Ordering::SeqCst);
        // Somebody may have made work and seen the search that is over now.
        if workers.has_idle()
            && workers.has_room()
            && !is_planted("no look when the search is over")
        {
            heavy_barrier();
            self.find_one(workers);
        }
    }

    /// Says that the calling worker is idle. `searched` says that it was the one that searched, which ends here. Returns
    /// whether it must not sleep, because it is the one that searches now. Otherwise it sleeps, and then
    /// [rises](Station::rise).
    pub(crate) fn rest(&self, station: &Station, searched: bool, workers: &impl Roster) -> bool {
        let idle = || {
            station.state.swap(IDLE, Ordering::SeqCst);
        };
        if !is_planted("idle after the look") {
            idle();
        }
        if searched {
            self.end();
        }
        loop {
            if !is_planted("no barrier behind idle") {
                heavy_barrier();
            }
            let overlooked = workers.has_work() && !self.on.load(Ordering::SeqCst);
            if !overlooked || is_planted("no look behind idle") {
                if is_planted("idle after the look") {
                    idle();
                }
                return false;
            }
            // A worker that was called meanwhile is the one that searches.
            if station.rise() || self.begin() {
                return true;
            }
            idle();
        }
    }
}
