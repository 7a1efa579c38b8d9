//! The function-like macros that need no parser.

/// Runs processes at once; returns when all have ended, with a tuple of their results.
///
/// A process gives its result, `n * process` and a `Vec` of processes give a `Vec` of results. Works in any
/// process and in `main`, nested at will.
///
/// # Panics
/// If one of them panicked, after all have ended, with that process's path and message. [`try_parallel!`] gives
/// it as a value.
///
/// Idea: `PAR` of occam, `Parallel` of JCSP and PyCSP.
///
/// ```
/// use csp::{parallel, process};
///
/// #[process]
/// fn half(n: f64) -> f64 { n / 2.0 }
/// #[process]
/// fn shout(word: &'static str) -> String { word.to_uppercase() }
///
/// let (half, shouts) = parallel!(half(3.0), 2 * shout("go"));
/// assert_eq!(half, 1.5);
/// assert_eq!(shouts, ["GO", "GO"]);
/// ```
///
/// [`try_parallel!`]: crate::try_parallel
#[macro_export]
macro_rules! parallel {
    ($($process:expr),* $(,)?) => { $crate::__private::parallel(($($process,)*)) };
}

/// [`parallel!`](crate::parallel), with a failure as a value: `Result<tuple of results, Failure>`.
///
/// ```
/// # use csp::{process, try_parallel};
/// #[process]
/// fn divide(a: u32, b: u32) -> u32 { a / b }
///
/// assert_eq!(try_parallel!(divide(6, 3)).unwrap(), (2,));
/// assert!(try_parallel!(divide(1, 0)).unwrap_err().message().contains("divide by zero"));
/// ```
#[macro_export]
macro_rules! try_parallel {
    ($($process:expr),* $(,)?) => { $crate::__private::try_parallel(($($process,)*)) };
}

/// Runs processes one after another; gives a tuple of their results. `n * process` and `Vec`s too are run one
/// by one.
///
/// # Panics
/// If one of them panicked, with its path and message; those after it are not started.
///
/// Idea: `SEQ` of occam, `Sequence` of JCSP and PyCSP.
///
/// ```
/// # use csp::{process, sequence};
/// #[process]
/// fn id(n: u32) -> u32 { n }
///
/// assert_eq!(sequence!(id(1), 2 * id(2)), (1, vec![2, 2]));
/// ```
#[macro_export]
macro_rules! sequence {
    ($($process:expr),* $(,)?) => { $crate::__private::sequence(($($process,)*)) };
}

/// [`sequence!`](crate::sequence), with a failure as a value: `Result<tuple of results, Failure>`.
#[macro_export]
macro_rules! try_sequence {
    ($($process:expr),* $(,)?) => { $crate::__private::try_sequence(($($process,)*)) };
}
