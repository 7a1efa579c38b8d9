//! What a process leaves that did not end well.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use crate::park::{Context, last_panic};
use crate::report::Deadlock;
use crate::termination::{Cause, Poison};

/// A process panicked, could not be started, was stopped by a deadlock, or was lost with its OS process. Which, where and why.
///
/// The `try_` forms return it; [`parallel!`](crate::parallel), [`sequence!`](crate::sequence) and
/// [`Spawned::join`](crate::Spawned::join) panic with it.
///
/// ```
/// # use csp::{process, try_parallel};
/// #[process]
/// fn careless() { panic!("out of luck") }
///
/// let failure = try_parallel!(careless()).unwrap_err();
/// assert!(failure.process().ends_with("/careless"));
/// assert_eq!(failure.message(), "out of luck");
/// ```
#[derive(Clone)]
pub struct Failure(Arc<Cause>);

impl Failure {
    pub(crate) fn unstarted(process: String, reason: String) -> Self {
        Self(Arc::new(Cause::Unstarted { process, reason }))
    }

    /// One that another OS process has told of.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn told(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }

    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn cause(&self) -> &Cause {
        &self.0
    }

    /// Of one that asks for another's end while it unwinds itself: it does not wait.
    pub(crate) fn unwinding(context: &Context) -> Self {
        Self(context.panic_poison().into_cause())
    }

    /// Of a process that a deadlock has stopped.
    pub(crate) fn deadlocked(poison: Poison) -> Self {
        Self(poison.into_cause())
    }

    /// The panic that the process of `context` was caught in. One that passes on the failure of another
    /// process is that failure, unchanged.
    pub(crate) fn caught(context: &Context, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let (message, place) = last_panic::take();
        if let Some(failure) = RAISED.take()
            && text == Some(&*failure.to_string())
        {
            return failure;
        }
        if let Some(poison) = context.deadlock() {
            return Self::deadlocked(poison);
        }
        // One that was caught and is raised again passes the hook by.
        let place = place.filter(|_| text.is_none_or(|text| text == message));
        let message = text.map_or(message, str::to_owned);
        Self(Arc::new(Cause::Panic { process: context.path(), message, place }))
    }

    /// What the ends of the process are poisoned with.
    pub(crate) fn into_poison(self) -> Poison {
        Poison::of(self.0)
    }

    /// Panics with the failure's text; caught in a process, that is this failure again.
    #[track_caller]
    pub(crate) fn raise(self) -> ! {
        let text = self.to_string();
        RAISED.set(Some(self));
        panic!("{text}")
    }

    /// Path of the process: `main/worker[3]`. Of a deadlock, the first that was in it.
    pub fn process(&self) -> &str {
        match &*self.0 {
            Cause::Panic { process, .. }
            | Cause::Unstarted { process, .. }
            | Cause::Lost { process, .. }
            | Cause::Explicit { process, .. }
            | Cause::NoGuard { process, .. }
            | Cause::Serialization { process, .. } => process,
            Cause::Deadlock(deadlock) => deadlock.first(),
        }
    }

    /// The panic's message, why the process could not be started, the deadlock in one line, or how its OS process ended: the
    /// signal or the exit status, and its last words.
    pub fn message(&self) -> &str {
        match &*self.0 {
            Cause::Panic { message, .. } | Cause::Lost { message, .. } => message,
            Cause::Unstarted { reason, .. }
            | Cause::Explicit { reason, .. }
            | Cause::Serialization { reason, .. } => reason,
            Cause::NoGuard { .. } => "no guard is enabled in an alternation",
            Cause::Deadlock(deadlock) => deadlock.summary(),
        }
    }

    /// The report, if the process was in a deadlock, or was stopped by one.
    pub fn deadlock(&self) -> Option<&Deadlock> {
        match &*self.0 {
            Cause::Deadlock(deadlock) => Some(deadlock),
            _ => None,
        }
    }

    /// File, line and column of the panic, where they are known.
    pub fn place(&self) -> Option<&str> {
        match &*self.0 {
            Cause::Panic { place, .. } => place.as_deref(),
            _ => None,
        }
    }
}

std::thread_local! {
    /// What this thread passes on by a panic.
    static RAISED: Cell<Option<Failure>> = const { Cell::new(None) };
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

impl std::error::Error for Failure {}
