//! Floor 2. Processes that are futures, and what an operation in a future has to know of the code that polls
//! it.
//!
//! An `async fn` process is a [`Head`] (task header) with its future behind it. A [`Crowd`] (per-thread executor) polls those
//! of one thread, in the order in which they were woken. It is itself run by a process that can park: a coroutine, or a
//! thread.
//!
//! Invariants:
//! - Only its crowd's thread touches a head, except `refs` and `notified`. Other threads wake it by a letter
//!   (cross-thread wake-up message) in the crowd's inbox.
//! - A head stands in the ready queue at most once, and in the inbox at most once.
//! - A head is freed when nothing refers to it: no process, no waker and no letter. The process refers to it until it
//!   is over and none of its operations stands.
//! - An operation wakes its head without a reference of its own: it holds the head by standing (see `Head::awaits`).
//! - An operation that stands may be forgotten, and its object may go. So a head is asked for its waits under a
//!   `Look` only. Channels, barriers and buckets are freed only after [`unseen`].
//! - A waker that is no head's is the user's code. It is cloned, woken and dropped while no lock is held (see [`Wakes`](wakes::Wakes)). A panic
//!   of it goes no further.

pub(crate) mod alarm;
mod awaiter;
mod crowd;
mod head;
mod look;
pub(crate) mod wakes;

pub(crate) use self::awaiter::Awaiter;
pub(crate) use self::crowd::Crowd;
pub(crate) use self::head::{Ending, Head, Home};
pub(crate) use self::look::unseen;

/// Panics, because a deadline is awaited where nobody sees to it.
#[cold]
#[track_caller]
pub(crate) fn refuse_deadline() -> ! {
    panic!("a deadline is awaited in an `async` process: another executor has timers of its own")
}
