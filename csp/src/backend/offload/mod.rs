//! Floor 5. Work that is done on another thread while its process waits: `io`, and the common way to it. The other processes
//! of the thread go on meanwhile.
#![allow(unsafe_code)]

pub(crate) mod compute;
#[cfg(feature = "compute")]
pub(crate) mod rayon;

use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::commit::seat::Seat;
use crate::sync::Lock;
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::future::wakes::{Wakes, apart};
use crate::wait::panics;
use crate::wait::park::{self, Context};
use crate::wait::quietly::{self, Caught};
use crate::wait::thread::pool::{self, Job};
use crate::wait::thread::relief::{self, Sleep};

/// Makes a blocking call. The process waits for it, and the other processes of its thread go on.
///
/// On a coroutine, a thread of a pool makes the call. The pool has as many threads as there are calls at once, so
/// no call ever waits for another one to end. A thread that has had no call for a second ends. In a process that is
/// a thread, and in one that unwinds, the function simply makes the call itself.
///
/// The call may borrow from the process. Its result is returned, and its panic continues in the process. The call
/// can't be interrupted: a deadlock or poison that concerns the process reaches it afterwards. In its operations on
/// channels the call acts as a plain thread, and not as the process.
///
/// `#[csp::io]` puts a whole function into such a call. [`Call`](crate::io::Call) makes a call a guard of an
/// alternation. For CPU work there is [`compute`](fn@crate::compute), with a pool of as many threads as there are
/// cores.
///
/// Idea: `@io` of PyCSP.
///
/// ```
/// # use csp::{parallel, process};
/// use std::io::Read;
///
/// #[process]
/// fn first_line(path: &'static str) -> std::io::Result<String> {
///     let mut text = String::new();
///     let size = csp::io(|| std::fs::File::open(path)?.read_to_string(&mut text))?;
///     assert_eq!(size, text.len());
///     Ok(text.lines().next().unwrap_or_default().to_owned())
/// }
///
/// let (line, missing) = parallel!(first_line("Cargo.toml"), first_line("no such file"));
/// assert_eq!(line?, "[package]");
/// assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Panics if the call panics, or if the system has no thread for it.
#[track_caller]
pub fn io<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    let context = park::current();
    if context.is_polled() {
        park::refuse_to_wait("a blocking call", "io_async(…).await", Location::caller());
    }
    if !context.park().has_company() || std::thread::panicking() {
        // If this thread computes in `compute`, another thread computes meanwhile.
        let _absence = relief::leave(Sleep::Uncounted);
        return call();
    }
    self::call(context, Location::caller(), Operation::Io, pool::run, call)
}

/// The `async` form of [`io`](fn@crate::io): returns a future. A thread of the pool always makes the call, even if
/// the process is a thread. The call owns the values that it works on.
///
/// If the future is dropped before it completes, the call goes on, and its result is dropped.
///
/// ```
/// # use csp::{parallel, process};
/// #[process]
/// async fn length(path: &'static str) -> Option<usize> {
///     let text = csp::io_async(move || std::fs::read_to_string(path)).await;
///     text.ok().map(|text| text.len())
/// }
/// assert_eq!(parallel!(length("no such file")).0, None);
/// ```
///
/// # Panics
/// Panics if the call panics, or if the system has no thread for it.
pub fn io_async<R: Send + 'static>(
    call: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = R> {
    call_async(pool::run, call)
}

/// The result of a call, or its panic.
pub(crate) type Outcome<R> = Result<R, Caught>;

/// Runs a call that may panic.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Outcome<R> {
    panics::remember();
    quietly::catch(call)
}

/// Returns the result of a call, or continues its panic.
pub(crate) fn expect<R>(outcome: Outcome<R>) -> R {
    outcome.unwrap_or_else(|panic| panic.resume())
}

/// A one-shot completion on the stack of the waiting process. The thread that works for the process leaves the
/// outcome here.
struct Completion<R> {
    outcome: Option<Outcome<R>>,
    process: Seat,
}

/// Has another thread make the call, which may borrow from the process. The process waits for it in any case.
///
/// # Panics
/// Panics if the call panics, or if no thread is available for it.
pub(crate) fn call<R: Send>(
    context: &'static Context,
    place: &'static Location<'static>,
    operation: Operation,
    run: fn(Job<'static>) -> io::Result<()>,
    call: impl FnOnce() -> R + Send,
) -> R {
    let completion = Lock::new(Completion { outcome: None, process: Seat::new() });
    let job: Job<'_> = Box::new(|| {
        let outcome = caught(call);
        let mut later = Wakes::new();
        let mut completion = completion.lock();
        completion.outcome = Some(outcome);
        completion.process.call(&mut later);
    });
    // SAFETY: only the lifetime changes. The job borrows `completion` and the borrows of the call. When the outcome is
    // there, the call is over and its captures are dropped. Unlocking `completion` is the job's last use of it. The loop
    // below takes the lock until the outcome is there. So the job uses nothing of this any more when this function
    // returns, and nothing unwinds before. A job that was refused has been dropped.
    let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
    if let Err(error) = run(job) {
        panic!("{}", no_thread(&error));
    }
    loop {
        let mut state = completion.lock();
        if let Some(outcome) = state.outcome.take() {
            drop(state);
            return expect(outcome);
        }
        Seat::wait(
            context,
            state,
            |state| &mut state.process,
            &OnAnotherThread { operation, place },
        );
    }
}

/// Has another thread make the call once the future is awaited.
pub(crate) async fn call_async<R: Send + 'static>(
    run: fn(Job<'static>) -> io::Result<()>,
    call: impl FnOnce() -> R + Send + 'static,
) -> R {
    struct Completion<R> {
        outcome: Option<Outcome<R>>,
        waker: Option<Waker>,
    }
    let completion = Arc::new(Lock::new(Completion { outcome: None, waker: None }));
    let there = Arc::clone(&completion);
    let job = Box::new(move || {
        let outcome = caught(call);
        let mut completion = there.lock();
        completion.outcome = Some(outcome);
        let waker = completion.waker.take();
        drop(completion);
        if let Some(waker) = waker {
            apart(|| waker.wake());
        }
    });
    if let Err(error) = run(job) {
        panic!("{}", no_thread(&error));
    }
    let outcome = std::future::poll_fn(|waking| {
        let waker = waking.waker().clone();
        let mut completion = completion.lock();
        let outcome = completion.outcome.take();
        let before = if outcome.is_none() { completion.waker.replace(waker) } else { Some(waker) };
        drop(completion);
        drop(before);
        outcome.map_or(Poll::Pending, Poll::Ready)
    });
    expect(outcome.await)
}

pub(crate) fn no_thread(error: &io::Error) -> String {
    format!("no thread could be had for a blocking call ({error}): make fewer of them at once")
}

/// The wait of a process whose work is done on another thread.
struct OnAnotherThread {
    operation: Operation,
    place: &'static Location<'static>,
}

impl Blocked for OnAnotherThread {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: None });
    }
}
