//! The processes of a scheduler's thread that are no coroutines: futures. Another backend runs them, and says here how
//! the scheduler shows them.

use std::sync::{Arc, OnceLock};

use crate::process::work::Work;
use crate::wait::blocked::Blocked;
use crate::wait::seen::observe::Observer;

/// A backend whose processes run on the threads of schedulers. Each call is about the present thread.
pub(in crate::backend) trait Guest: Sync {
    /// Begins processes of `work` on this thread: those from `next` up to `end`.
    fn begin(&self, work: Arc<dyn Work>, next: usize, end: usize);

    /// Takes in the letters that wake the processes of this thread, and nothing else.
    fn take_letters(&self);

    /// Returns what the process at this address waits for, if it belongs to this thread and is blocked.
    fn why(&self, address: usize) -> Option<&'static dyn Blocked>;

    /// Shows the processes of this thread.
    fn show(&self, observer: &mut dyn Observer);
}

static GUEST: OnceLock<&'static dyn Guest> = OnceLock::new();

/// Makes the guest known. Called before its first process starts.
pub(in crate::backend) fn welcome(guest: &'static dyn Guest) {
    let _ = GUEST.set(guest);
}

/// Returns the guest, if a process of it has ever started.
pub(super) fn guest() -> Option<&'static dyn Guest> {
    GUEST.get().copied()
}
