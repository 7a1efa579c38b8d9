//! Work done on another thread while its process waits, and the others of its own thread go on: `io`, and the way to it.
#![allow(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::blocked::{Blocked, Operation, Want};
use crate::park::{self, Context, last_panic};
use crate::pool::{self, Job};
use crate::sync::Lock;
use crate::waiter::Seat;

/// Makes a blocking call: the process waits for it, and the others of its thread go on.
///
/// On a coroutine the call is made by a thread of a pool, which has as many threads as there are calls at once: no
/// call ever waits for another one to end. A thread that nobody has needed for a second ends. On a process that is a thread,
/// and in one that unwinds, it is the plain call.
///
/// The call may borrow from the process. Its result comes back, and its panic goes on in the process. It can't be
/// interrupted: a deadlock or poison that concerns the process reaches it afterwards. What the call does with channels it does as a
/// plain thread, and not as the process.
///
/// `#[csp::io]` puts a whole function into such a call. [`Call`](crate::io::Call) makes a call a guard of an alternation.
/// For CPU work there is [`compute`](crate::compute): a pool of as many threads as there are cores.
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
/// If the call does; and if the system has no thread for it.
#[track_caller]
pub fn io<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    let context = park::current();
    if context.is_polled() {
        park::refuse_to_wait("a blocking call", "io_async(…).await");
    }
    if !context.park().has_company() || std::thread::panicking() {
        return call();
    }
    self::call(context, Location::caller(), Operation::Io, pool::run, call)
}

/// [`io`](fn@crate::io) in an `async` process: a future, to be awaited. The call is always made by a thread of the pool, also where the
/// process is a thread, and owns what it works on.
///
/// If it is dropped before it is done, the call goes on, and what it returns is dropped.
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
/// If the call does; and if the system has no thread for it.
pub fn io_async<R: Send + 'static>(
    call: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = R> {
    call_async(pool::run, call)
}

/// What a call has returned, or how it panicked.
pub(crate) type Outcome<R> = Result<R, Panic>;

/// A panic on its way to another thread.
pub(crate) struct Panic {
    payload: Box<dyn std::any::Any + Send>,
    /// Message and place, as the hook saw them.
    record: (String, Option<String>),
}

/// Runs a call that may panic.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Outcome<R> {
    last_panic::remember();
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|payload| Panic { payload, record: last_panic::take() })
}

/// What the call returned; its panic goes on here.
pub(crate) fn expect<R>(outcome: Outcome<R>) -> R {
    outcome.unwrap_or_else(|Panic { payload, record }| {
        last_panic::put(record);
        resume_unwind(payload)
    })
}

/// Where a process and the thread that works for it meet.
struct Desk<R> {
    outcome: Option<Outcome<R>>,
    process: Seat,
}

/// Has another thread make the call, which may borrow from the process: that waits for it, whatever happens.
///
/// # Panics
/// If the call does, or if no thread can be had for it.
pub(crate) fn call<R: Send>(
    context: &'static Context,
    place: &'static Location<'static>,
    operation: Operation,
    run: fn(Job<'static>) -> io::Result<()>,
    call: impl FnOnce() -> R + Send,
) -> R {
    let desk = Lock::new(Desk { outcome: None, process: Seat::new() });
    let job: Job<'_> = Box::new(|| {
        let outcome = caught(call);
        let mut desk = desk.lock();
        desk.outcome = Some(outcome);
        desk.process.call();
    });
    // SAFETY: only the lifetime changes. The job borrows `desk` and what the call borrows. The call is over, and what it
    // captured dropped, when the outcome is there; the last that the job does with `desk` is to unlock it. Below the lock
    // is taken until the outcome is there, so the job has done with all of it when this function returns; and until then
    // nothing unwinds. A job that was not taken on has been dropped.
    let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
    if let Err(error) = run(job) {
        panic!("{}", no_thread(&error));
    }
    loop {
        let mut state = desk.lock();
        if let Some(outcome) = state.outcome.take() {
            drop(state);
            return expect(outcome);
        }
        Seat::wait(context, state, |state| &mut state.process, &Away { operation, place });
    }
}

/// Has another thread make the call once it is awaited.
pub(crate) async fn call_async<R: Send + 'static>(
    run: fn(Job<'static>) -> io::Result<()>,
    call: impl FnOnce() -> R + Send + 'static,
) -> R {
    struct Desk<R> {
        outcome: Option<Outcome<R>>,
        waker: Option<Waker>,
    }
    let desk = Arc::new(Lock::new(Desk { outcome: None, waker: None }));
    let there = Arc::clone(&desk);
    let job = Box::new(move || {
        let outcome = caught(call);
        let mut desk = there.lock();
        desk.outcome = Some(outcome);
        let waker = desk.waker.take();
        drop(desk);
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    if let Err(error) = run(job) {
        panic!("{}", no_thread(&error));
    }
    let outcome = std::future::poll_fn(|waking| {
        let mut desk = desk.lock();
        let outcome = desk.outcome.take();
        let waker = waking.waker().clone();
        let before = if outcome.is_none() { desk.waker.replace(waker) } else { Some(waker) };
        drop(desk);
        drop(before);
        outcome.map_or(Poll::Pending, Poll::Ready)
    });
    expect(outcome.await)
}

pub(crate) fn no_thread(error: &io::Error) -> String {
    format!("no thread could be had for a blocking call ({error}): make fewer of them at once")
}

/// A process whose work is done on another thread.
struct Away {
    operation: Operation,
    place: &'static Location<'static>,
}

impl Blocked for Away {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: None });
    }
}
