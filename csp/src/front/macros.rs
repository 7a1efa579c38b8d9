//! The function-like macros that need no parser.

/// Runs processes at once. Returns when all have ended, with a tuple of their results.
///
/// A process gives its result, `n * process` and a `Vec` of processes give a `Vec` of results. It
/// works in any process and in `main`, nested at will.
///
/// # Panics
/// If one of them panicked, after all have ended, with that process's path and message.
/// [`try_parallel!`] returns the failure as a value.
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

/// Runs processes like [`parallel!`](crate::parallel), and returns a failure as a value:
/// `Result<tuple of results, Failure>`.
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

/// Runs processes one after another. Returns a tuple of their results. `n * process` and `Vec`s too
/// are run one by one.
///
/// # Panics
/// If one of them panicked, with its path and message. The processes after it are not started.
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

/// Runs processes like [`sequence!`](crate::sequence), and returns a failure as a value:
/// `Result<tuple of results, Failure>`.
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

/// Runs processes like [`parallel!`](crate::parallel), in an `async` process. Returns a future, to
/// be awaited. Nothing is started before.
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

/// Runs processes like [`try_parallel!`](crate::try_parallel), in an `async` process. Returns a
/// future, to be awaited.
#[macro_export]
macro_rules! try_parallel_async {
    ($($process:expr),* $(,)?) => { $crate::__private::try_parallel_async(($($process,)*)) };
}

/// Runs processes like [`sequence!`](crate::sequence), in an `async` process. Returns a future, to
/// be awaited.
#[macro_export]
macro_rules! sequence_async {
    ($($process:expr),* $(,)?) => { $crate::__private::sequence_async(($($process,)*)) };
}

/// Runs processes like [`try_sequence!`](crate::try_sequence), in an `async` process. Returns a
/// future, to be awaited.
#[macro_export]
macro_rules! try_sequence_async {
    ($($process:expr),* $(,)?) => { $crate::__private::try_sequence_async(($($process,)*)) };
}

/// Waits until one of its guards is ready, performs that guard, whole, and runs its arm. The other
/// guards leave no trace.
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
/// Each is `guard => arm`, `pattern = guard => arm`, or either after `if condition,`. An arm that
/// is no block ends with a comma.
/// | guard | ready when |
/// |---|---|
/// | `x = end.read()` | a writer is ready, or a value is in the buffer. `x` is the value, any irrefutable pattern |
/// | `x = end.begin()` | the same. The writer waits until `x`, an [`Extended`](crate::Extended), is dropped |
/// | `end.write(value)` | a reader is ready, or there is room in the buffer |
/// | `end.write_with(\|\| value)` | the same. The value is made when a reader has committed to take it |
/// | `after(duration)`, `at(instant)` | the time has come |
/// | `retired(end)` | the channel has retired, or a [`Stop`](crate::Stop) has stopped its tokens |
/// | `x = child.join()` | a [`Spawned`](crate::Spawned) process has ended. `x` is its result |
/// | `x = child.try_join()` | the same. `x` is its result, or its failure |
/// | `x = io(call)` | the blocking call has returned, see [`Call`](crate::io::Call) |
/// | `barrier.sync()` | all enrolled processes have come, see [`Barrier`](crate::Barrier) |
/// | `skip` | always. It is legal only in [`pri_alt!`], last |
///
/// An end is any expression: a variable, a field, `ends[i]`, `self.input`, a call. If the condition
/// is false, the guard is not in the choice, and neither its end nor its value is evaluated. So
/// `if i < ends.len(), x = ends[i].read()` is right, and
/// `if let Some(end) = &maybe, x = end.read()` too. The variables that the latter binds are known
/// to the guard, not to the arm.
///
/// # The value that is written
///
/// A variable or a part of one (`message`, `pair.0`, `*boxed`) moves only if its guard is chosen.
/// In every other arm, and after the alternation, it is still there. So it may be offered in a loop
/// until it has gone. Its reader waits for the moment between the commit and the arm. A value that
/// is `Copy` is copied before the choice instead. Any other expression (`make()`,
/// `message.clone()`, `Signal::Stop`) is evaluated once, before the choice. Its value is dropped if
/// another guard is chosen.
///
/// # Result
///
/// `Ok` with the value of the arm. Arms are expressions of one type. They are code of the
/// surrounding function. They may leave by `break`, `continue`, `return` and `?`, and use the ends,
/// because nothing is borrowed any more. `Err(Retired)` if no channel is left to communicate on (a
/// retired guard is left out, timeouts don't count). `Err(Poisoned)` at once if one of the channels
/// is poisoned, or if there is no guard that could ever be ready. After an error no arm runs.
///
/// # Fairness
///
/// If one process reaches the same `alt!` again and again, a guard that stays ready is chosen
/// before any other is chosen twice. [`pri_alt!`] promises the opposite: the first guard that is
/// ready.
///
/// Sets that are made at run time are [`Alternation`](crate::Alternation)s.
///
/// # In an `async` process
///
/// The guards are written as the operations are in such a process: `x = end.read_async().await`,
/// `end.write_async(value).await`, `barrier.sync_async().await`, `retired(end).await`. All guards
/// of a choice await, or none does. Beside such guards, `after` and `at` need not await. If there
/// are no others, they do: `after(duration).await`.
///
/// Ideas: `ALT` of occam with its preconditions and `SKIP`, output guards and fair choice of JCSP.
///
/// [`pri_alt!`]: crate::pri_alt
#[macro_export]
macro_rules! alt {
    ($($guards:tt)*) => { $crate::__private::alt! { crate = $crate; $($guards)* } };
}

/// Chooses like [`alt!`](crate::alt), by priority: of the guards that are ready, the first is
/// chosen. With `skip` as the last guard it never waits.
///
/// The choice is made at one moment, between threads too: when a guard is chosen, none before it is
/// ready. So if one process makes a guard ready and then a later one, the later one is never chosen
/// before the first. If no guard is ready, the choice takes the one that becomes ready next. There
/// are two limits. A channel with an end in another OS process is asked by a message, ahead of that
/// moment, and may have become ready since. And a time (`after`, `at`) is ready from the moment
/// when the choice finds that it has come.
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
