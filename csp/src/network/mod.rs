//! Floor 6. Networks: processes that are composed, run, and joined.

mod component;
pub(super) mod results;
pub(super) mod set;
pub(super) mod spawn;

use std::panic::Location;
use std::sync::Arc;

use self::component::{run, run_async};
use crate::backend;
use crate::process::Failure;
use crate::process::group::{Ended, Group};
use crate::wait::park;

pub use self::component::{Component, Output};

/// The `async` form of [`try_parallel`].
#[track_caller]
pub(crate) fn try_parallel_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    run_async(components, Location::caller())
}

/// The `async` form of [`try_sequence`].
#[track_caller]
pub(crate) fn try_sequence_async<C: Component>(
    components: C,
) -> impl Future<Output = Result<Output<C>, Failure>> {
    components.one_by_one_async(Location::caller())
}

/// Runs all parts at once. Returns when all have ended.
#[track_caller]
pub(crate) fn try_parallel<C: Component>(components: C) -> Result<Output<C>, Failure> {
    run(components, Location::caller())
}

/// Runs the parts one after another, up to the first that fails.
#[track_caller]
pub(crate) fn try_sequence<C: Component>(components: C) -> Result<Output<C>, Failure> {
    components.one_by_one(Location::caller())
}

/// Returns the value, or panics with the failure at the caller's place.
#[track_caller]
#[inline]
pub(crate) fn expect<T>(result: Result<T, Failure>) -> T {
    match result {
        Ok(value) => value,
        // The caller can't go on without a value, and a second panic ends the program.
        Err(failure) if std::thread::panicking() => panic!(
            "a process that unwinds runs no others, for it would have to wait for them: in a destructor use the `try_` form, \
             which returns that as an error ({failure:#})"
        ),
        // No closure calls `raise`, because the panic would then have the closure's place.
        Err(failure) => failure.raise(),
    }
}

/// The current process, as reports name it.
///
/// ```
/// # use csp::{Current, parallel, process};
/// #[process(name = "worker")]
/// fn works() -> Current { csp::current() }
///
/// let (workers,) = parallel!(2 * works());
/// assert_eq!(workers[1].name(), "worker[1]");
/// assert!(workers[1].path().ends_with("/worker[1]"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "Thread")]
pub struct Current {
    name: String,
    path: String,
}

impl Current {
    /// Returns the name: `worker[3]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path: `main/worker[3]`. A path of more than twelve names is shortened in the middle. It then has
    /// the first four names, the number of those left out, and the last eight: `main/a/b/c/(1490
    /// more)/d/e/f/g/h/i/j/k`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Returns the process that calls this. A plain thread has the thread's own name.
///
/// ```
/// # use csp::{process, parallel};
/// #[process]
/// fn me() -> String { csp::current().name().to_owned() }
///
/// assert_eq!(parallel!(2 * me()).0, ["me[0]", "me[1]"]);
/// ```
#[must_use]
#[doc(alias = "thread")]
pub fn current() -> Current {
    let context = park::current();
    Current { name: context.name(), path: context.path() }
}

/// Waits until all processes that the calling process has spawned have ended, except daemons.
/// [`#[csp::main]`](crate::main) does this at the end of `main`.
///
/// A process that unwinds does not wait here. It waits at its end, as every process does.
///
/// # Panics
/// Panics if one of them failed and was not joined.
///
/// ```
/// # use csp::{process, spawn};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// fn works() { DONE.store(true, Ordering::SeqCst); }
///
/// drop(spawn(works()));
/// csp::shutdown();
/// assert!(DONE.load(Ordering::SeqCst));
/// ```
#[doc(alias("join_spawned", "wait_for_children", "join_all"))]
#[track_caller]
pub fn shutdown() {
    if std::thread::panicking() {
        return;
    }
    if park::current().is_polled()
        && let Some(children) = Group::children()
    {
        // It waits here, or is refused at the caller's line.
        children.wait_for_all("shutdown_async().await");
    }
    if let Some(failure) = Group::wait_for_children() {
        failure.raise();
    }
}

/// The `async` form of [`shutdown`].
///
/// # Panics
/// Panics if one of them failed and was not joined.
///
/// ```
/// # use csp::{parallel, process, spawn};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// static DONE: AtomicBool = AtomicBool::new(false);
///
/// #[process]
/// async fn works() { DONE.store(true, Ordering::SeqCst); }
///
/// #[process]
/// async fn has_it_done() -> bool {
///     drop(spawn(works()));
///     csp::shutdown_async().await;
///     DONE.load(Ordering::SeqCst)
/// }
///
/// assert_eq!(parallel!(has_it_done()), (true,));
/// ```
pub async fn shutdown_async() {
    // They stay children of the process if this future is dropped before it completes.
    let Some(children) = Group::children() else { return };
    Ended::new(Arc::clone(&children)).await;
    if let Some(failure) = children.take_failure() {
        failure.raise();
    }
}

/// Takes over in the child of a `#[multiprocess]`, if the program's `main` is not marked
/// [`#[csp::main]`](crate::main), which does this by itself.
///
/// In a child it does not return. Elsewhere, and without the feature `subprocess`, it does nothing. The call is
/// optional: without it a child is intercepted ahead of `main`, in a test, a benchmark and a plain program alike.
/// If `init` is the first call in `main`, child processes also get the standard library's runtime set-up, such as
/// the stack-overflow message.
///
/// ```
/// csp::init(); // the first statement of `main`
/// ```
#[doc(alias = "child_entry")]
pub fn init() {
    backend::subprocess::init();
}
