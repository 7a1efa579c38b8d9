//! Waiting for a process to end.
#![allow(missing_debug_implementations, reason = "nobody outside sees a job")]
#![allow(unsafe_code)]

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use super::work::{Grip, Outcome};
use crate::commit::awaited::Sitting;
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::RawLock;
use crate::wait::blocked::{Blocked, Object, Operation, Want};

/// A process that can be joined, whatever the type of its arguments was.
pub(crate) trait Joinable<R>: Send + Sync {
    /// Waits for the end of the process. The caller is no future, or the process has ended.
    fn join(&self, place: &'static Location<'static>) -> Outcome<R>;
    /// Polls for the end of the process. `sitting` (the caller's registration as the single waiter) and `why` say
    /// where the caller waits.
    ///
    /// # Safety
    /// Both are pinned, and `leave` is called before they are dropped.
    unsafe fn poll_join(
        &self,
        sitting: &Sitting,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Poll<Outcome<R>>;
    fn leave(&self, sitting: &Sitting, why: &dyn Blocked);
    fn object(&self) -> &dyn Object;
    fn has_ended(&self) -> bool;
    /// Records that nobody will ask for the outcome.
    fn abandon(&self);
    fn path(&self) -> String;
    /// Returns the grip on its OS process, if it has one.
    fn grip(&self) -> Option<&Arc<Grip>>;

    /// Returns the lock of the outcome, for a choice.
    fn lock(&self) -> &dyn RawLock;
    fn now(&self) -> Progress;
    /// # Safety
    /// The caller holds the lock.
    unsafe fn now_locked(&self) -> Progress;
    /// Puts the offer of a guard into the queue of those that wait for the end.
    ///
    /// # Safety
    /// The caller holds the lock. The guard and the waiter stay where they are until `withdraw`, or until the waiter was committed.
    unsafe fn stand(&self, standing: &Standing<()>, waiter: &Waiter, index: u32);
    fn withdraw(&self, standing: &Standing<()>);
    /// Takes the outcome, if the process has ended and the outcome was not taken.
    fn take(&self) -> Option<Outcome<R>>;
    /// Undoes [`take`](Self::take).
    fn give_back(&self, outcome: Outcome<R>);
    /// Returns the reason why no guard for its end will be ready, if there is one.
    fn why_never(&self) -> Option<Termination>;
}

/// The state of a process as a guard for its end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Runs,
    Ended,
    /// The outcome was taken.
    Joined,
    /// A deadlock has ended all waits for it.
    Broken,
}

/// The future of a process's end.
pub(crate) struct Join<R> {
    /// `None` once the process was joined.
    process: Option<Arc<dyn Joinable<R>>>,
    sitting: Sitting,
    place: &'static Location<'static>,
}

impl<R> Join<R> {
    pub(crate) fn new(
        process: Option<Arc<dyn Joinable<R>>>,
        place: &'static Location<'static>,
    ) -> Self {
        Self { process, sitting: Sitting::new(), place }
    }
}

impl<R> Future for Join<R> {
    type Output = Outcome<R>;

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<Outcome<R>> {
        // SAFETY: the registration in it stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        let process = this.process.as_ref().expect("a process is joined once");
        // SAFETY: it is pinned, and `drop` calls `leave`.
        let polled = unsafe { process.poll_join(&this.sitting, waking.waker(), this) };
        if polled.is_ready() {
            this.process = None;
        }
        polled
    }
}

impl<R> Drop for Join<R> {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.leave(&self.sitting, self);
            process.abandon();
        }
    }
}

impl<R> Blocked for Join<R> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        let object = self.process.as_ref().map(|process| process.object());
        tell(Want { operation: Operation::Join, object });
    }
}
