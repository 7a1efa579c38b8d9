//! The contract between a process that waits and the backend that it runs on.
//!
//! [`Park`] is all that a channel knows of a backend. It counts: every commit of a waiter is followed by exactly one `unpark`,
//! which the waiter takes with exactly one successful `park`. So there is no spurious wake-up to guard against. The data that a
//! waiter has on its stack stays there until the thread that committed it has done with it.

use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::time::Instant;

use super::blocked::Blocked;
use super::future::wakes::Wakes;
use super::lineage::{Identity, Named};
use crate::sync::{self, AtomicU32, Ordering};

/// Parks one process, wakes another.
pub(crate) trait Park: Sync {
    /// Waits for the next `unpark`, or the one that has already come, and takes it. False when the
    /// deadline came first. Only the process itself calls this.
    fn park(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool;

    /// Lets the process out of the `park` it is in or will come to. Any thread may call this.
    fn unpark(&self);

    /// Tells it that another way of waiting takes its place.
    fn replaced(&self) {}

    /// Returns whether its thread has nothing else to run while this process waits.
    fn is_alone(&self) -> bool {
        false
    }

    /// Waits for something that no `unpark` tells of. `why` names it for threads that look. Only the process itself calls
    /// this.
    fn wait_outside(&self, _why: &dyn Blocked, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Returns whether its thread waits for nothing else until the `unpark` comes, and looks at messages of other OS processes
    /// meanwhile.
    fn is_thread(&self) -> bool {
        false
    }

    /// Lets the other processes of its thread go on for a while, if it has any. Only the process itself calls this.
    fn pass(&self) {}

    /// Returns whether its thread may have other processes, which go on while it is parked.
    fn has_company(&self) -> bool {
        false
    }

    /// [`unpark`](Self::unpark) of the waiter that `state` belongs to. If that is awaited, it is marked as woken
    /// first.
    #[inline]
    fn wake_awaiting(&self, _state: &sync::AtomicU32) {
        self.unpark();
    }

    /// [`wake_awaiting`](Self::wake_awaiting) under a lock: wake-ups of the user's wakers are put off until
    /// the lock is free.
    #[inline]
    fn wake_awaiting_later(&self, state: &sync::AtomicU32, _later: &mut Wakes) {
        self.wake_awaiting(state);
    }

    /// Notes that an awaited operation stands, and that `why` is its wait, until [`forgets`](Self::forgets) is called for
    /// it.
    fn awaits(&self, _why: NonNull<dyn Blocked>) {}

    /// Notes that this operation stands no longer.
    fn forgets(&self, _why: *const ()) {}

    /// Returns whether an awaited operation that is polled with this waker from now on still wakes the right
    /// process.
    fn is_for(&self, _waker: &std::task::Waker) -> bool {
        false
    }
}

/// Beside another: an awaiting waiter was woken, and nobody touches it any more.
pub(crate) const WOKEN: u32 = 1 << 31;

/// Marks a waiter as woken. Afterwards the waking thread doesn't touch it.
pub(crate) fn mark_woken(state: &AtomicU32) {
    // It is committed, so nobody else changes it.
    state.store(state.load(Ordering::Relaxed) | WOKEN, Ordering::Release);
}

/// A process that is a future, while it is polled.
pub(crate) trait Polled {
    fn identity(&self) -> Identity;
    /// Returns the same, lent.
    fn named(&self) -> (&dyn Named, usize);

    fn write_path(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (of, index) = self.named();
        of.write_path(index, out)
    }
}

/// The processes that one process has spawned.
pub(crate) trait Children: std::any::Any + Send + Sync {
    /// Waits until all have ended.
    fn wait(&self);
}

/// The forms that a process which is a future writes in place of a choice that waits.
pub(crate) const INSTEAD_OF_A_CHOICE: &str =
    "end.read_async().await` or `after(duration).await` as a guard, or `choose_async().await";

/// Refuses to let a process that is a future wait, because it would hold up all others of its thread. The panic is at the
/// caller's line, which is a user's line if all functions in between have `#[track_caller]`. Else the message names `place`.
#[cold]
#[track_caller]
pub(crate) fn refuse_to_wait(
    operation: &str,
    instead: &str,
    place: &'static Location<'static>,
) -> ! {
    let at = match place == Location::caller() {
        true => String::new(),
        false => format!(" at {place}"),
    };
    panic!(
        "{operation}{at} would hold up all other `async` processes of its thread: in one of these write `{instead}`"
    )
}
