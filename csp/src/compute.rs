//! CPU work in the company of coroutines.

use std::panic::Location;

use crate::aside;
use crate::backend;
use crate::park;
use crate::report::Operation;

/// Does CPU work on another thread: the process waits for it, and the others of its thread go on.
///
/// Coroutines take turns on one thread, so however many of them compute, one core does it. On a coroutine this has the work done
/// by the threads of [rayon]'s global pool, as many as there are cores: a farm of coroutines keeps all of them busy, and rayon's `par_iter`
/// and `join` work inside. On a process that is a thread it is the plain call. The stack is always that of a thread, so recursion
/// may go deeper than on a coroutine.
///
/// The work may borrow from the process. Its result comes back, and its panic goes on in the process. It can't be
/// interrupted. It should not wait, for a channel or otherwise: while it does, a core is idle. Work of less than some
/// 20 µs is not worth the way there and back.
///
/// Without the cargo feature `compute`, which is on by default, it is done by the threads of [`io`](fn@crate::io), as many as there
/// are computations at once.
///
/// [rayon]: https://docs.rs/rayon
///
/// ```
/// # use csp::{Channel, Reader, Writer, parallel, process};
/// #[process]
/// fn worker(numbers: Reader<u64>, sums: Writer<u64>) -> csp::Result {
///     for n in &numbers {
///         let digits = csp::compute(|| (1..=n).map(|i| i.to_string().len() as u64).sum());
///         sums.write(digits)?;
///     }
///     Ok(())
/// }
/// # #[process]
/// # fn source(out: Writer<u64>) -> csp::Result { for n in [9, 99] { out.write(n)?; } Ok(()) }
/// # #[process]
/// # fn sum(input: Reader<u64>) -> u64 { input.iter().sum() }
///
/// let (numbers, sums) = (Channel::new(), Channel::new());
/// let (.., total) = parallel!(
///     source(numbers.writer()),
///     4 * worker(numbers.reader(), sums.writer()),
///     sum(sums.reader()),
/// );
/// assert_eq!(total, 9 + 189);
/// ```
///
/// # Panics
/// If the work does.
#[track_caller]
pub fn compute<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let context = park::current();
    if context.is_polled() {
        park::refuse_to_wait("a computation", "compute_async(…).await");
    }
    if !context.park().has_company() {
        return work();
    }
    if std::thread::panicking() {
        // It does not wait for others, and yet this is not the stack to work on.
        let outcome = std::thread::scope(|scope| scope.spawn(|| aside::caught(work)).join());
        return aside::expect(outcome.expect("what panics was caught"));
    }
    aside::call(context, Location::caller(), Operation::Compute, backend::compute, work)
}

/// [`compute`] in an `async` process: a future, to be awaited. The work owns what it works on.
///
/// If it is dropped before it is done, the work goes on, and what it returns is dropped.
///
/// ```
/// # use csp::{parallel, process};
/// #[process]
/// async fn sum(n: u64) -> u64 {
///     csp::compute_async(move || (1..=n).sum()).await
/// }
/// assert_eq!(parallel!(sum(10)).0, 55);
/// ```
///
/// # Panics
/// If the work does.
pub fn compute_async<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = R> {
    aside::call_async(backend::compute, work)
}
