//! The failure of a process that did not end well.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;

use crate::report::Deadlock;
use crate::report::termination::{Cause, Poison, Termination};
use crate::wait::panics;
use crate::wait::park::{self, Context};
use crate::wait::quietly::Caught;

/// The failure of a process: which process failed, where and why. A process fails if it panics, can't be started,
/// is stopped by a deadlock, or is lost with its OS process.
///
/// The `try_` forms return it. [`parallel!`](crate::parallel), [`sequence!`](crate::sequence) and
/// [`Spawned::join`](crate::Spawned::join) panic with it.
///
/// The text of a failure names the process. [`source`](Error::source) is the [`Cause`], which tells the rest, so a chain printer
/// such as that of `anyhow` tells each thing once. `{:#}` and `{:?}` write all of it in one line.
///
/// ```
/// # use csp::{process, try_parallel};
/// #[process]
/// fn careless() { panic!("out of luck") }
///
/// let failure = try_parallel!(careless()).unwrap_err();
/// assert!(failure.process().ends_with("/careless"));
/// assert_eq!(failure.message(), "out of luck");
/// assert_eq!(failure.to_string(), "process `main/careless` failed");
/// assert!(format!("{failure:#}").starts_with("process `main/careless` panicked at "));
/// assert!(format!("{failure:#}").ends_with("out of luck"));
/// ```
#[derive(Clone)]
pub struct Failure(Arc<KnownFailure>);

// Every outcome of a process has room for a failure.
const _: () = assert!(size_of::<Option<Failure>>() == size_of::<usize>());

struct KnownFailure {
    cause: Arc<Cause>,
    /// A process has already passed this failure on by a panic, so the panic hook has shown it.
    passed_on: bool,
}

impl Failure {
    fn new(cause: Arc<Cause>) -> Self {
        Self(Arc::new(KnownFailure { cause, passed_on: false }))
    }

    pub(crate) fn unstarted(process: String, reason: String) -> Self {
        Self::new(Arc::new(Cause::Unstarted { process, reason }))
    }

    /// Makes a failure that another OS process has reported.
    pub(crate) fn told(cause: Cause) -> Self {
        Self::new(Arc::new(cause))
    }

    /// Returns the cause: a supervisor tells by it whether the process panicked, was lost or could not be started.
    ///
    /// ```
    /// # use csp::{Cause, process, try_parallel};
    /// #[process]
    /// fn careless() { panic!("out of luck") }
    ///
    /// let failure = try_parallel!(careless()).unwrap_err();
    /// assert!(matches!(failure.cause(), Cause::Panic { message, .. } if message == "out of luck"));
    /// ```
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Makes the failure for a process that asks for the end of another while it unwinds itself. Such a process
    /// does not wait.
    pub(crate) fn unwinding(context: &Context) -> Self {
        Self::new(context.panic_poison().into_cause())
    }

    /// Makes the failure of a process that a deadlock has stopped.
    pub(crate) fn deadlocked(poison: Poison) -> Self {
        Self::new(poison.into_cause())
    }

    /// Makes the failure from the panic that the process of `context` was caught in. If that panic passes on the
    /// failure of another process, the result is that failure, unchanged.
    pub(crate) fn caught(context: &Context, panic: &Caught) -> Self {
        let text = panic.text();
        if let Ok(Some(failure)) = RAISED.try_with(Cell::take)
            && text == Some(&*failure.cause().to_string())
        {
            return Self(Arc::new(KnownFailure {
                cause: Arc::clone(&failure.0.cause),
                passed_on: true,
            }));
        }
        if let Some(poison) = context.deadlock() {
            return Self::deadlocked(poison);
        }
        let (message, place) = panic.told();
        Self::new(Arc::new(Cause::Panic { process: context.path(), message, place }))
    }

    /// Returns the poison for the ends of the process.
    pub(crate) fn into_poison(self) -> Poison {
        Poison::of(Arc::clone(&self.0.cause))
    }

    /// Panics with the failure's text. A process that catches this panic gets the same failure again.
    ///
    /// The panic hook shows the failure where it is first passed on, and where it reaches a plain thread. Otherwise
    /// each parent in between would show the same text, perhaps with a backtrace.
    #[track_caller]
    pub(crate) fn raise(self) -> ! {
        let is_shown = !self.0.passed_on || park::current().is_plain_thread();
        self.panic(is_shown)
    }

    /// Panics like [`raise`](Self::raise), at the end of `main` or of a test, whose path is `path`. If the function has panicked,
    /// the panic hook has shown that panic, and does not show it again.
    #[track_caller]
    pub(crate) fn leave(self, path: &str) -> ! {
        let is_own = self.process() == path && self.place().is_some();
        let is_shown = !self.0.passed_on && !is_own;
        self.panic(is_shown)
    }

    #[track_caller]
    fn panic(self, is_shown: bool) -> ! {
        let text = self.cause().to_string();
        let _ = RAISED.try_with(|raised| raised.set(Some(self)));
        if is_shown {
            panic!("{text}")
        }
        panics::note(text.clone(), Some(Location::caller().to_string()));
        resume_unwind(Box::new(text))
    }

    /// Returns the path of the process: `main/worker[3]`. A long path is shortened as
    /// [`Current::path`](crate::Current::path) is. For a deadlock this is the path of the first process in it.
    pub fn process(&self) -> &str {
        self.cause().process()
    }

    /// Returns the reason: the panic's message, why the process could not be started, or the deadlock in one line.
    /// For a lost OS process it is the signal or the exit status, with the last words of that OS process.
    pub fn message(&self) -> &str {
        match &*self.0.cause {
            Cause::Panic { message, .. }
            | Cause::Lost { message, .. }
            | Cause::Error { message, .. } => message,
            Cause::Unstarted { reason, .. }
            | Cause::Explicit { reason, .. }
            | Cause::Serialization { reason, .. } => reason,
            Cause::NoGuard { .. } => "no guard is enabled in an alternation",
            Cause::Deadlock(deadlock) => deadlock.summary(),
        }
    }

    /// Returns the report, if the process was in a deadlock or was stopped by one.
    pub fn deadlock(&self) -> Option<&Deadlock> {
        match &*self.0.cause {
            Cause::Deadlock(deadlock) => Some(deadlock),
            _ => None,
        }
    }

    /// Returns the file, line and column of the panic, if they are known.
    pub fn place(&self) -> Option<&str> {
        match &*self.0.cause {
            Cause::Panic { place, .. } => place.as_deref(),
            _ => None,
        }
    }
}

std::thread_local! {
    /// The failure that this thread is passing on by a panic.
    static RAISED: Cell<Option<Failure>> = const { Cell::new(None) };
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause() {
            cause if f.alternate() => cause.fmt(f),
            cause => write!(f, "process `{}` failed", cause.process()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self:#})")
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause())
    }
}

/// A network that failed poisons the channels of a process that passes the failure on by `?`, with the same cause.
impl From<Failure> for Termination {
    fn from(failure: Failure) -> Self {
        Self::Poisoned(failure.into_poison())
    }
}
