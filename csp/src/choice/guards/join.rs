//! The guards that are ready when a spawned process has ended.
//!
//! Invariant: the outcome of a process is taken once, under its lock, by the guard that was chosen. A process whose outcome was taken
//! counts as a channel that has retired.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use crate::choice::guard::{Clear, Entry, Guard, LeftValue, Stand, Tried};
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::process::Failure;
use crate::process::join::{Joinable, Progress};
use crate::process::work::Outcome;
use crate::report::termination::Termination;
use crate::sync::RawLock;
use crate::wait::blocked::{Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// A spawned process, or a reference to it: what the guard `child.join()` takes.
#[diagnostic::on_unimplemented(
    message = "a guard joins a spawned process: `{Self}` is none",
    label = "expected a `Spawned`"
)]
pub trait Joined: sealed::Joined {}

impl<C: sealed::Joined + ?Sized> Joined for C {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use crate::process::join::Joinable;

    pub trait Joined {
        type Result;

        #[allow(private_interfaces, reason = "the trait is sealed")]
        fn process(&self) -> Arc<dyn Joinable<Self::Result>>;
    }

    impl<C: Joined + ?Sized> Joined for &C {
        type Result = C::Result;

        #[allow(private_interfaces, reason = "the trait is sealed")]
        fn process(&self) -> Arc<dyn Joinable<C::Result>> {
            (**self).process()
        }
    }
}

/// The guard `child.try_join()`.
pub struct TryJoin<R> {
    process: Arc<dyn Joinable<R>>,
    standing: Standing<()>,
    outcome: Cell<Option<Outcome<R>>>,
}

/// The guard `child.join()`.
pub struct JoinOrRaise<R>(TryJoin<R>);

/// The guard `child.try_join()`: ready when the process has ended.
pub fn try_join<C: Joined + ?Sized>(child: &C) -> TryJoin<<C as sealed::Joined>::Result> {
    TryJoin { process: child.process(), standing: Standing::new(), outcome: Cell::new(None) }
}

/// The guard `child.join()`: ready when the process has ended.
pub fn join<C: Joined + ?Sized>(child: &C) -> JoinOrRaise<<C as sealed::Joined>::Result> {
    JoinOrRaise(try_join(child))
}

impl<R> TryJoin<R> {
    /// Returns the outcome, once the guard was chosen.
    pub(crate) fn taken(&self) -> Outcome<R> {
        self.outcome.take().expect("a guard that was chosen has the outcome")
    }

    fn tried(now: Progress) -> Tried {
        match now {
            Progress::Runs => Tried::NotReady,
            Progress::Ended => Tried::Performed,
            Progress::Joined => Tried::Retired,
            Progress::Broken => Tried::Poisoned,
        }
    }

    /// Returns false if another guard has taken the outcome.
    fn take(&self) -> bool {
        let outcome = self.process.take();
        let taken = outcome.is_some();
        self.outcome.set(outcome);
        taken
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the lock of the process.
unsafe impl<R> Stand for TryJoin<R> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(self.process.lock())
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        match Self::tried(self.process.now()) {
            Tried::Performed if !self.take() => Tried::Retired,
            tried => tried,
        }
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        // SAFETY: the caller holds the lock.
        Self::tried(unsafe { self.process.now_locked() })
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller holds the lock. This changes nothing.
        Self::tried(unsafe { self.process.now_locked() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.process.stand(&self.standing, waiter, index) };
    }

    fn withdraw(&self) {
        self.process.withdraw(&self.standing);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        self.take()
    }

    fn undo(&self) {
        if let Some(outcome) = self.outcome.take() {
            self.process.give_back(outcome);
        }
    }

    fn ended(&self) -> Option<Termination> {
        self.process.why_never()
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Join, object: Some(self.process.object()) }
    }

    fn want_standing(&self) -> Option<Want<'_>> {
        self.standing.stands().then(|| self.want())
    }
}

impl<R> Guard for TryJoin<R> {
    type Left = LeftValue<Result<R, Failure>>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, left: &Self::Left) {
        left.put(self.taken());
    }
}

/// A place for the outcome of a process whose failure is raised.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "what only macros see")]
pub struct RaisedLeft<R>(LeftValue<Outcome<R>>);

impl<R> Default for RaisedLeft<R> {
    fn default() -> Self {
        Self(LeftValue::default())
    }
}

impl<R> RaisedLeft<R> {
    /// Takes the result out, or goes on with the failure.
    #[track_caller]
    pub fn open(&self) -> R {
        self.0.open().unwrap_or_else(|failure| failure.raise())
    }
}

impl<R> Clear for RaisedLeft<R> {
    fn clear(&self) {
        self.0.clear();
    }
}

impl<R> Guard for JoinOrRaise<R> {
    type Left = RaisedLeft<R>;

    fn offer(&mut self) -> Entry<'_> {
        self.0.offer()
    }

    fn keep(&mut self, left: &RaisedLeft<R>) {
        self.0.keep(&left.0);
    }
}
