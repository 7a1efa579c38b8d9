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
///
/// ```
/// # use csp::{process, try_sequence};
/// #[process]
/// fn divide(a: u32, b: u32) -> u32 { a / b }
///
/// assert_eq!(try_sequence!(divide(6, 3), divide(4, 1)).unwrap(), (2, 4));
/// assert!(try_sequence!(divide(1, 0), divide(4, 1)).unwrap_err().process().ends_with("/divide"));
/// ```
#[macro_export]
macro_rules! try_sequence {
    ($($process:expr),* $(,)?) => { $crate::__private::try_sequence(($($process,)*)) };
}

/// [`parallel!`](crate::parallel) in an `async` process: a future, to be awaited. Nothing is started before.
///
/// If it is dropped before it is done, the processes go on as if they had been spawned.
///
/// ```
/// use csp::{parallel, parallel_async, process};
///
/// #[process]
/// async fn half(n: f64) -> f64 { n / 2.0 }
/// #[process]
/// async fn halves() -> f64 {
///     let (one, others) = parallel_async!(half(1.0), 2 * half(3.0)).await;
///     one + others[0] + others[1]
/// }
///
/// assert_eq!(parallel!(halves()).0, 3.5);
/// ```
#[macro_export]
macro_rules! parallel_async {
    ($($process:expr),* $(,)?) => { $crate::__private::parallel_async(($($process,)*)) };
}

/// [`try_parallel!`](crate::try_parallel) in an `async` process: a future, to be awaited.
#[macro_export]
macro_rules! try_parallel_async {
    ($($process:expr),* $(,)?) => { $crate::__private::try_parallel_async(($($process,)*)) };
}

/// [`sequence!`](crate::sequence) in an `async` process: a future, to be awaited.
#[macro_export]
macro_rules! sequence_async {
    ($($process:expr),* $(,)?) => { $crate::__private::sequence_async(($($process,)*)) };
}

/// [`try_sequence!`](crate::try_sequence) in an `async` process: a future, to be awaited.
#[macro_export]
macro_rules! try_sequence_async {
    ($($process:expr),* $(,)?) => { $crate::__private::try_sequence_async(($($process,)*)) };
}

/// Waits until one of its guards is ready, performs that one, whole, and runs its arm; the others leave no trace.
///
/// ```
/// use csp::{Channel, Reader, Writer, alt, parallel, process};
/// # #[process]
/// # fn source(out: Writer<u32>) -> csp::Result { for n in 0..5 { out.write(n)?; } Ok(()) }
/// # #[process]
/// # fn sink(input: Reader<u32>) -> Vec<u32> { input.iter().collect() }
///
/// /// Holds up to `size` values between a reader and a writer that are not always ready.
/// #[process]
/// fn store(input: Reader<u32>, out: Writer<u32>, size: usize) -> csp::Result {
///     let mut held = std::collections::VecDeque::new();
///     loop {
///         let next = held.front().copied().unwrap_or_default();
///         alt! {
///             if held.len() < size, x = input.read() => held.push_back(x),
///             if !held.is_empty(), out.write(next)   => { held.pop_front(); }
///             if held.is_empty(), retired(input)     => return Ok(()),
///         }?;
///     }
/// }
///
/// let (a, b) = (Channel::new(), Channel::new());
/// let (.., all) = parallel!(source(a.writer()), store(a.reader(), b.writer(), 3), sink(b.reader()));
/// assert_eq!(all, [0, 1, 2, 3, 4]);
/// ```
///
/// # Guards
///
/// Each is `guard => arm`, `pattern = guard => arm`, or either after `if condition,`. An arm that is no block ends with a comma.
///
/// | guard | ready when |
/// |---|---|
/// | `x = end.read()` | a writer is, or a value is in the buffer; `x` is the value, any irrefutable pattern |
/// | `x = end.begin()` | the same; the writer waits until `x`, an [`Extended`](crate::Extended), is dropped |
/// | `end.write(value)` | a reader is, or there is room in the buffer |
/// | `end.write_with(\|\| value)` | the same; the value is made when a reader has committed to take it |
/// | `after(duration)`, `at(instant)` | the time has come |
/// | `retired(end)` | the channel has retired |
/// | `x = io(call)` | the blocking call has returned, see [`Call`](crate::io::Call) |
/// | `barrier.sync()` | all that are enrolled have come, see [`Barrier`](crate::Barrier) |
/// | `skip` | always; only in [`pri_alt!`], last |
///
/// An end is any expression: a variable, a field, `ends[i]`, `self.input`, a call. Where the condition is false, the guard is not in
/// the choice, and neither its end nor its value is evaluated, so `if i < ends.len(), x = ends[i].read()` is right;
/// `if let Some(end) = &maybe, x = end.read()` too (what it binds is known to the guard, not to the arm).
///
/// # What is written
///
/// A variable or a part of one (`message`, `pair.0`, `*boxed`) moves only if its guard is chosen: in every other arm, and after the
/// alternation, it is still there. So it may be offered in a loop until it has gone. Its reader waits for the moment between the commit
/// and the arm; what is `Copy` is copied before the choice instead. Any other expression (`make()`, `message.clone()`,
/// `Signal::Stop`) is evaluated once, before the choice, and what it gave is dropped if another guard is chosen.
///
/// # Result
///
/// `Ok` of the arm's value; arms are expressions of one type. They are code of the surrounding function and may leave by `break`,
/// `continue`, `return` and `?`, and use the ends: nothing is borrowed any more. `Err(Retired)` if no channel is left to communicate on
/// (a retired guard is left out, timeouts don't count), `Err(Poisoned)` at once if one of the channels is poisoned, or if there is no
/// guard that could ever be ready. Of an error, no arm runs.
///
/// # Fairness
///
/// Where the same `alt!` is reached again and again by one process, a guard that stays ready is chosen before any other is
/// chosen twice. [`pri_alt!`] promises the opposite: the first that is ready.
///
/// Sets that are made at run time are [`Alternation`](crate::Alternation)s.
///
/// # In an `async` process
///
/// The guards are what the operations are there: `x = end.read_async().await`, `end.write_async(value).await`, `barrier.sync_async().await`,
/// `retired(end).await`. All of a choice await, or none does; with them `after` and `at` need not, but where there is nothing else they do:
/// `after(duration).await`.
///
/// Ideas: `ALT` of occam with its preconditions and `SKIP`, output guards and fair choice of JCSP.
///
/// [`pri_alt!`]: crate::pri_alt
#[macro_export]
macro_rules! alt {
    ($($guards:tt)*) => { $crate::__private::alt! { crate = $crate; $($guards)* } };
}

/// [`alt!`](crate::alt) by priority: of the guards that are ready, the first is chosen. With `skip` as the last guard it never waits.
///
/// ```
/// # use csp::{Channel, Reader, Writer, parallel, pri_alt, process};
/// #[process]
/// fn count(stop: Reader<()>) -> csp::Result<u64> {
///     let mut n = 0;
///     loop {
///         pri_alt! {
///             stop.read() => return Ok(n),
///             skip        => n += 1,
///         }?;
///         # if n == 10 { return Ok(n); }
///     }
/// }
/// # assert_eq!(parallel!(count(Channel::new().reader())).0, Ok(10));
/// ```
///
/// Idea: `PRI ALT` of occam.
#[macro_export]
macro_rules! pri_alt {
    ($($guards:tt)*) => { $crate::__private::pri_alt! { crate = $crate; $($guards)* } };
}
