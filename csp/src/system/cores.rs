//! How many cores the schedulers use: `CSP_CORES`, or what the program says, or as many as there are.
//!
//! Invariant: the number does not change after the first process has started.

#![allow(unreachable_pub, reason = "without the feature `cores` nobody outside sees it")]

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The name of the variable.
const VARIABLE: &str = "CSP_CORES";

/// The number, once it is fixed. The value 0 means that it is not.
static FIXED: AtomicUsize = AtomicUsize::new(0);

/// The number that the program asks for. The mutex is held while the number is fixed.
static ASKED: Mutex<Option<usize>> = Mutex::new(None);

std::thread_local! {
    /// The number for networks that this thread starts.
    static HERE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The number of cores can't be that, or can't be set any more.
///
/// ```
/// # #[cfg(feature = "cores")] {
/// let error: csp::CoresError = csp::cores(0).unwrap_err();
/// assert!(error.to_string().contains("at least one core"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoresError(Box<str>);

impl fmt::Display for CoresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CoresError {}

/// Sets the number of cores that coroutines use. The default is [`std::thread::available_parallelism`].
///
/// The environment variable `CSP_CORES` wins over this. With 1, a network stays on the thread that starts it.
/// [`#[csp::main(cores = n)]`](crate::main) calls this.
///
/// # Errors
/// Returns an error after the first process of the program has started, if `n` is 0, or if `CSP_CORES` is no number of
/// cores.
///
/// ```
/// # #[cfg(not(feature = "cores"))]
/// # fn main() {}
/// # #[cfg(feature = "cores")]
/// fn main() -> Result<(), csp::CoresError> {
///     csp::cores(2)?; // before the first process
///     Ok(())
/// }
/// ```
#[doc(alias("GOMAXPROCS", "worker_threads"))]
pub fn cores(n: usize) -> Result<(), CoresError> {
    if n == 0 {
        return Err(CoresError("processes run on at least one core: 0 was asked for".into()));
    }
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if FIXED.load(Ordering::Relaxed) != 0 {
        let late = "the number of cores is set before the first process starts: some have started";
        return Err(CoresError(late.into()));
    }
    of_environment()?;
    *asked = Some(n);
    Ok(())
}

/// Returns the number that the environment asks for, if it does.
fn of_environment() -> Result<Option<usize>, CoresError> {
    let Some(wish) = std::env::var_os(VARIABLE) else { return Ok(None) };
    let wish = wish.to_string_lossy();
    match wish.trim().parse() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(CoresError(
            format!(
                "{VARIABLE}={wish}: it is the number of cores to use, a whole number from 1 on"
            )
            .into(),
        )),
    }
}

/// Returns the number for networks that this thread starts, which is fixed from now on.
///
/// # Panics
/// If `CSP_CORES` is no number of cores.
#[inline]
pub(crate) fn here() -> usize {
    begin().unwrap_or_else(|error| panic!("{error}"));
    of_all().min(HERE.get())
}

/// Fixes the number. The first process of a program calls this.
///
/// # Errors
/// Returns an error if `CSP_CORES` is no number of cores.
#[inline]
pub(crate) fn begin() -> Result<(), CoresError> {
    if FIXED.load(Ordering::Relaxed) == 0 { fix() } else { Ok(()) }
}

/// Returns the number for the whole program. It has begun.
pub(crate) fn of_all() -> usize {
    FIXED.load(Ordering::Relaxed)
}

/// Returns the variable for an OS process that is one of so many, and its value: a fair part of the cores. Returns `None` in a
/// program whose coroutines use one core.
pub(crate) fn part(of: usize) -> Option<(&'static str, String)> {
    let all = of_all();
    (all > 0).then(|| (VARIABLE, (all / of.max(1)).max(1).to_string()))
}

#[cold]
fn fix() -> Result<(), CoresError> {
    let asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let wish = of_environment()?;
    let there_are = || std::thread::available_parallelism().map_or(1, Into::into);
    let number = wish.or(*asked).unwrap_or_else(there_are);
    FIXED.store(number, Ordering::Relaxed);
    Ok(())
}

/// Checks that the environment asks for nothing impossible.
pub(crate) fn check() -> Result<(), CoresError> {
    of_environment().map(drop)
}

/// Has networks that this thread starts use this many cores at most.
pub(crate) fn limit_this_thread(n: usize) {
    HERE.set(n);
}
