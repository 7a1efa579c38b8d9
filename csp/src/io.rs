//! Blocking calls in the company of coroutines.
//!
//! A coroutine that makes a blocking call, to `accept`, `read_line` or a database, holds up all the others of its thread.
//! [`csp::io`](fn@crate::io) makes the call on another thread while the process waits; `#[csp::io]` does so for a
//! whole function; and a [`Call`] is a guard, so that a process waits for a call and for channels at once.
//!
//! ```
//! use csp::{Channel, Reader, alt, io::Call, parallel, process};
//! use std::net::{TcpListener, TcpStream};
//!
//! /// Accepts connections until it is told to stop.
//! #[process]
//! fn server(listener: TcpListener, stop: Reader<()>) -> csp::Result<usize> {
//!     let accept = Call::new(move || listener.accept());
//!     let mut served = 0;
//!     loop {
//!         alt! {
//!             connection = io(accept) => served += usize::from(connection.is_ok()),
//!             _ = stop.read()         => return Ok(served),
//!         }?;
//!     }
//! }
//!
//! # #[process]
//! # fn clients(address: std::net::SocketAddr, stop: csp::Writer<()>) -> csp::Result {
//! #     for _ in 0..3 {
//! #         csp::io(|| std::io::Read::read(&mut TcpStream::connect(address).unwrap(), &mut [0])).unwrap();
//! #     }
//! #     Ok(stop.write(())?)
//! # }
//! # let (listener, stop) = (TcpListener::bind("127.0.0.1:0")?, Channel::new());
//! # let address = listener.local_addr()?;
//! # let (served, _) = parallel!(server(listener, stop.reader()), clients(address, stop.writer()));
//! # assert_eq!(served, Ok(3));
//! # Ok::<(), std::io::Error>(())
//! ```

#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::alternation::choose_from;
use crate::aside::{self, Outcome};
use crate::blocked::{Operation, Want};
use crate::channel::core::Core;
use crate::guard::{Entry, Guard, Input, Stand, Tried};
use crate::park::{self, Context};
use crate::pool;
use crate::sync::{Arc, RawLock};
use crate::termination::Termination;
use crate::waiter::Waiter;

/// A blocking call that is a guard: `result = io(call) => …` in [`alt!`](crate::alt) and [`pri_alt!`](crate::pri_alt),
/// [`Alternation::io`](crate::Alternation::io).
///
/// It is made again and again, one at a time. An alternation that comes to the guard begins the call, unless
/// one is under way, or has ended and nobody has taken its result. The guard is ready when the result is there.
///
/// **A call that is not chosen is not lost.** It goes on, for nothing can interrupt it, and its result stays with the `Call`:
/// the next alternation that has the guard finds it there. So make the `Call` before the loop that chooses, and no
/// connection that `accept` has accepted goes astray. At the end, [`finish`](Self::finish) waits for the call that is under way;
/// dropping the `Call` does not wait, and the result is dropped when it comes.
///
/// In a choice it counts as a channel does that never retires: a choice with a call goes on when all its channels have retired. To
/// end with one of them, give that a guard too: `retired(stop) => …`.
///
/// On every backend the call is made by a thread of the pool of [`io`](fn@crate::io), and its panic goes on in the process
/// that takes the result. A call under way is something that can wake a process: while it lasts, processes that wait for
/// it are not in a deadlock.
///
/// One process has it; it may be sent to another.
///
/// See the [module](self) for an example.
pub struct Call<T> {
    line: Arc<Line<T>>,
    /// One process has it: of two that wait, the one whose result it is not would not begin the next.
    unshared: PhantomData<Cell<()>>,
}

/// What a call and its makers share. Room in the channel is reserved for the call that is under way, and is taken by the result
/// until somebody takes that: so there is one of the two at most.
struct Line<T> {
    call: Mutex<Box<dyn FnMut() -> T + Send>>,
    results: Arc<Core<Outcome<T>>>,
}

impl<T: Send + 'static> Call<T> {
    /// A call that has not begun.
    #[track_caller]
    pub fn new(call: impl FnMut() -> T + Send + 'static) -> Self {
        let results = Arc::new(Core::new(1, Location::caller().into()));
        let line = Line { call: Mutex::new(Box::new(call)), results };
        Self { line: Arc::new(line), unshared: PhantomData }
    }

    /// Makes the call, or goes on with the one that is under way, and waits for its result. None: the process unwinds, and
    /// does not wait.
    ///
    /// ```
    /// let mut n = 0;
    /// let count = csp::io::Call::new(move || { n += 1; n });
    /// assert_eq!((count.next(), count.next()), (Some(1), Some(2)));
    /// ```
    ///
    /// # Panics
    /// If the call does; and if the system has no thread for it.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "it takes no `&mut`, as no guard does, and has no end"
    )]
    pub fn next(&self) -> Option<T> {
        let mut guard = due(self);
        choose_from(park::current(), &[guard.offer()][..], 0, Location::caller()).ok()?;
        Some(guard.value())
    }

    /// Waits for the call that is under way, if one is, and gives its result, or one that is there already. None: there is
    /// neither, or the process unwinds.
    ///
    /// ```
    /// let call = csp::io::Call::new(|| "never made");
    /// assert_eq!(call.finish(), None);
    /// ```
    ///
    /// # Panics
    /// If the call does.
    #[track_caller]
    pub fn finish(self) -> Option<T> {
        if self.is_begun() { self.next() } else { None }
    }

    /// Whether a call is under way, or has a result that nobody has taken.
    pub fn is_begun(&self) -> bool {
        !self.line.results.state().lock().is_vacant()
    }

    /// Makes the call, if none is under way and no result waits.
    fn begin(&self) {
        if !self.line.results.state().lock().reserve() {
            return;
        }
        let line = Arc::clone(&self.line);
        let begun = pool::run(Box::new(move || {
            let outcome = aside::caught(|| {
                let mut call = line.call.lock().unwrap_or_else(PoisonError::into_inner);
                call()
            });
            // Its values never leave this OS process.
            let _ = line.results.fill(Some(outcome));
            // What the last one drops is the user's, and may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(line)));
        }));
        if let Err(error) = begun {
            let _ = self.line.results.fill(None);
            panic!("{}", aside::no_thread(&error));
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.line.results)
    }
}

/// The guard `io(call)`. `C` is the call, or a reference to it.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "what only macros see")]
pub struct Due<T, C> {
    call: C,
    results: Input<Outcome<T>, Arc<Core<Outcome<T>>>, false>,
}

/// The guard `io(call)`.
#[doc(hidden)]
pub fn due<T: Send + 'static>(call: &Call<T>) -> Due<T, &Call<T>> {
    due_of(call)
}

/// The guard `io(call)`, which may own its call.
pub(crate) fn due_of<T: Send + 'static, C: Borrow<Call<T>>>(call: C) -> Due<T, C> {
    let results = Input::new(Arc::clone(&call.borrow().line.results));
    Due { call, results }
}

impl<T, C> Due<T, C> {
    /// What the call returned, once the guard was chosen.
    pub(crate) fn result(&self) -> T {
        aside::expect(self.results.value())
    }
}

// SAFETY: all is done by the guard of the channel.
unsafe impl<T: Send + 'static, C: Borrow<Call<T>>> Stand for Due<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        self.results.lock()
    }

    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        // Here, where no lock is held, and not in `attempt`: every alternation tries its guards alone first.
        self.call.borrow().begin();
        self.results.try_alone(context, place)
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.results.attempt() }
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller's promise.
        unsafe { self.results.stand(waiter, index) };
    }

    fn withdraw(&self) {
        self.results.withdraw();
    }

    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool {
        self.results.finish(context, place)
    }

    fn begin(&self) {
        self.call.borrow().begin();
    }

    fn poll_finish(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        waker: &Waker,
    ) -> Poll<bool> {
        self.results.poll_finish(context, place, waker)
    }

    fn undo(&self) {
        self.results.undo();
    }

    fn ended(&self) -> Option<Termination> {
        self.results.ended()
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Io, object: None }
    }
}

impl<T: Send + 'static, C: Borrow<Call<T>>> Guard for Due<T, C> {
    type Value = T;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn value(self) -> T {
        self.result()
    }
}
