//! CPU work in the company of coroutines.

use std::panic::Location;

use crate::backend::{self, offload};
use crate::report::Operation;
use crate::wait::park;

/// Does CPU work on another thread. The process waits for it, and the other processes of its thread go on.
///
/// Coroutines take turns on one thread, so however many of them compute, one core does the work. On a coroutine,
/// this function has the threads of a pool of [rayon]'s do it. The pool has as many threads as there are cores, or
/// as `RAYON_NUM_THREADS` says. So a farm of coroutines keeps all cores busy. Rayon's `par_iter` and `join` work
/// inside, on the same pool. This pool is not rayon's global pool, so nothing that the program does there stops a
/// computation.
///
/// In a process that is a thread, the function simply does the work itself, and rayon's loops inside it run on
/// rayon's global pool. If all threads of that pool wait for such a process, none of them ever goes on. The watch
/// reports this (see [Held over a wait](crate::guide::held)). The work always runs on a thread's stack, so its
/// recursion may be deeper than on a coroutine.
///
/// The work may borrow from the process. Its result is returned, and its panic continues in the process. The work
/// can't be interrupted. Work of less than some 20 µs is not worth the transfer.
///
/// The work may wait in operations of this crate, run a network, and make blocking calls in [`io`](fn@crate::io).
/// Meanwhile another thread takes its place, so any number of computations may wait for one another. If it waits in
/// other ways, a core is idle. The parts of one loop of rayon's are an exception. The loop has as many threads as
/// the pool, and parts that wait for one another may need more.
///
/// Without the cargo feature `compute`, which is on by default, the threads of [`io`](fn@crate::io) do the work.
/// There are then as many threads as computations at once.
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
/// Panics if the work panics.
#[track_caller]
pub fn compute<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let context = park::current();
    if context.is_polled() {
        park::refuse_to_wait("a computation", "compute_async(…).await", Location::caller());
    }
    if !context.park().has_company() {
        return work();
    }
    if std::thread::panicking() {
        // The work does not wait for others, but this stack is not suited to it.
        let mut work = Some(work);
        let outcome = std::thread::scope(|scope| {
            let elsewhere = || work.take().map(offload::caught);
            let thread = std::thread::Builder::new().spawn_scoped(scope, elsewhere).ok()?;
            thread.join().expect("what panics was caught")
        });
        // If there is no thread, the work is done here, because a second panic would end the program.
        let here = || work.take().map(|work| offload::caught(work));
        return offload::expect(outcome.or_else(here).expect("it is done once"));
    }
    offload::call(context, Location::caller(), Operation::Compute, backend::compute, work)
}

/// The `async` form of [`compute`]: returns a future. The work owns the values that it works on.
///
/// If the future is dropped before it completes, the work goes on, and its result is dropped.
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
/// Panics if the work panics.
pub fn compute_async<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = R> {
    offload::call_async(backend::compute, work)
}
