//! Blocking calls as guards. The interface is in `choice::io`.

#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use super::read::Input;
use crate::backend::offload;
use crate::backend::offload::Outcome;
use crate::channel::core::Core;
use crate::choice::choose::choose_from;
use crate::choice::guard::{Clear, Entry, Guard, Stand, Tried};
use crate::commit::parcel::Parcel;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::{Arc, RawLock};
use crate::wait::blocked::{Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::quietly::drop_quietly;
use crate::wait::thread::pool;

/// A blocking call that is a guard: `result = io(call) => …` in [`alt!`](crate::alt) and
/// [`pri_alt!`](crate::pri_alt), [`Alternation::io`](crate::Alternation::io).
///
/// The call is made again and again, one at a time. An alternation that reaches the guard begins the call, unless
/// one is under way or has left a result that nobody has taken. The guard is ready when the result is there.
///
/// **A call that is not chosen is not lost.** It goes on, because nothing can interrupt it, and its result stays
/// with the `Call`. The next alternation that has the guard finds the result there. So make the `Call` before the
/// loop that chooses, and no connection that `accept` has accepted is lost. At the end, [`finish`](Self::finish)
/// waits for the call that is under way. Dropping the `Call` does not wait, and the result is dropped when it
/// comes.
///
/// In a choice it counts as a channel that never retires: a choice with a call goes on when all its channels have
/// retired. If the choice is to end with one of the channels, add a guard for that channel: `retired(stop) => …`.
///
/// On every backend a thread of the pool of [`io`](fn@crate::io) makes the call. Its panic continues in the process
/// that takes the result. A call under way can wake a process. Processes that wait for it are therefore not in a
/// deadlock.
///
/// A `Call` belongs to one process at a time, and may be sent to another.
///
/// See the [module](mod@crate::io) for an example.
pub struct Call<T> {
    line: Arc<Line<T>>,
    /// This keeps the `Call` with one process. If two waited, the one that did not get the result would not begin
    /// the next call.
    unshared: PhantomData<Cell<()>>,
}

/// The part that a call and its makers share. The channel has room for one result. A call that is under way
/// reserves the room, and its result occupies it until it is taken. So there is at most one of the two.
struct Line<T> {
    /// `None` while the call is made: the thread that makes it has taken it out.
    call: Mutex<Option<Box<dyn FnMut() -> T + Send>>>,
    results: Arc<Core<Outcome<T>>>,
}

impl<T: Send + 'static> Call<T> {
    /// Makes a `Call` that has not begun.
    #[track_caller]
    #[must_use]
    pub fn new(call: impl FnMut() -> T + Send + 'static) -> Self {
        let results = Arc::new(Core::new(1, Location::caller().into()));
        let line = Line { call: Mutex::new(Some(Box::new(call))), results };
        Self { line: Arc::new(line), unshared: PhantomData }
    }

    /// Makes the call, or joins the one that is under way, and waits for its result. Returns `None` if the process
    /// unwinds. Such a process does not wait.
    ///
    /// ```
    /// let mut n = 0;
    /// let count = csp::io::Call::new(move || { n += 1; n });
    /// assert_eq!((count.next(), count.next()), (Some(1), Some(2)));
    /// ```
    ///
    /// # Panics
    /// Panics if the call panics, or if the system has no thread for it.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "it takes no `&mut`, as no guard does, and has no end"
    )]
    pub fn next(&self) -> Option<T> {
        let mut guard = due(self);
        choose_from(park::current(), &[guard.offer()][..], 0, Location::caller()).ok()?;
        Some(guard.result())
    }

    /// Waits for the call that is under way, if there is one. Returns its result, or a result that was there
    /// already. Returns `None` if there is neither, or if the process unwinds.
    ///
    /// ```
    /// let call = csp::io::Call::new(|| "never made");
    /// assert_eq!(call.finish(), None);
    /// ```
    ///
    /// # Panics
    /// Panics if the call panics.
    #[track_caller]
    pub fn finish(self) -> Option<T> {
        if self.is_begun() { self.next() } else { None }
    }

    /// Returns whether a call is under way, or has left a result that nobody has taken.
    pub fn is_begun(&self) -> bool {
        !self.line.results.state().lock().is_vacant()
    }

    /// Begins the call, unless one is under way or has left a result.
    fn begin(&self) {
        if !self.line.results.state().lock().reserve() {
            return;
        }
        let line = Arc::clone(&self.line);
        let begun = pool::run(Box::new(move || {
            // The call is the user's code, so no lock is held while it is made.
            let lent = || line.call.lock().unwrap_or_else(PoisonError::into_inner);
            let mut call = lent().take().expect("one call is made at a time");
            let outcome = offload::caught(&mut call);
            *lent() = Some(call);
            // The values of this channel never leave this OS process.
            let _ = line.results.fill(&Parcel::full(outcome));
            // The last reference drops the user's values, and that may panic.
            drop_quietly(line);
        }));
        if let Err(error) = begun {
            let _ = self.line.results.fill(&Parcel::empty());
            panic!("{}", offload::no_thread(&error));
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.line.results)
    }
}

/// The guard `io(call)`. `C` is the call, or a reference to it.
#[allow(missing_debug_implementations, reason = "what only macros see")]
pub struct Due<T, C> {
    call: C,
    results: Input<Outcome<T>, Arc<Core<Outcome<T>>>, false>,
}

/// Makes the guard `io(call)`.
pub fn due<T: Send + 'static>(call: &Call<T>) -> Due<T, &Call<T>> {
    due_of(call)
}

/// Makes the guard `io(call)`, which may own its call.
pub(crate) fn due_of<T: Send + 'static, C: Borrow<Call<T>>>(call: C) -> Due<T, C> {
    let results = Input::new(Arc::clone(&call.borrow().line.results));
    Due { call, results }
}

impl<T, C> Due<T, C> {
    /// Returns the result of the call, once the guard was chosen.
    pub(crate) fn result(&self) -> T {
        offload::expect(self.results.value().open())
    }
}

// SAFETY: the guard of the channel does everything.
unsafe impl<T: Send + 'static, C: Borrow<Call<T>>> Stand for Due<T, C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        self.results.lock()
    }

    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        // The call is begun here, because no lock is held, unlike in `attempt`. Every alternation first tries its
        // guards alone.
        self.call.borrow().begin();
        self.results.try_alone(context, place)
    }

    unsafe fn attempt(&self, later: &mut Wakes) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.results.attempt(later) }
    }

    unsafe fn look(&self) -> Tried {
        // SAFETY: the caller's promise.
        unsafe { self.results.look() }
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
    type Left = Returned<T>;

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, left: &Returned<T>) {
        self.results.value().pass(&left.0);
    }
}

/// A place for what a call has come to.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "what only macros see")]
pub struct Returned<T>(ManuallyDrop<Parcel<Outcome<T>>>);

impl<T> Default for Returned<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self(ManuallyDrop::new(Parcel::empty()))
    }
}

impl<T> Returned<T> {
    /// Takes the result out, or goes on with the panic of the call.
    pub fn open(&self) -> T {
        offload::expect(self.0.open())
    }
}

impl<T> Clear for Returned<T> {
    fn clear(&self) {
        self.0.clear();
    }
}
