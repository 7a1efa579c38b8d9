//! Guards, between which an alternation chooses.
//!
//! A guard of a channel is tried under that channel's lock. If it is ready it is performed there and then, and *finished* once no lock
//! is held. If none is ready, each stands at its channel with one offer.
//!
//! A guard's offer stands in a queue only between `stand` and `withdraw`, or its commit. One call of `alternation::choose` encloses
//! both. The guard is borrowed for that long and can't move.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::LazyCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::channel::far::{Done, Doubt, Post};
use crate::commit::parcel::Parcel;
use crate::commit::waiter::Waiter;
use crate::report::termination::Termination;
use crate::sync::RawLock;
use crate::wait::blocked::Want;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// The result of trying a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It was ready, and is performed except for its `finish`.
    Performed,
    /// It is ready, and has no partner: its time has come, or it is `skip`.
    Come,
    NotReady,
    /// Its time has not come yet.
    NotYet,
    /// Its channel has retired.
    Retired,
    /// Its channel is poisoned.
    Poisoned,
    /// Its channel is away, and must be asked beyond this OS process.
    Far,
}

/// The guards of a choice by priority that have been tried before another one, and were not ready.
pub(crate) trait Before {
    /// Returns whether no other thread has ever used their channels. Then none has become ready since.
    fn are_alone(&self) -> bool;

    /// Returns whether there is only one.
    fn is_one(&self) -> bool;
}

/// Returns how a guard stands at this moment. `Performed` says that it may be ready.
pub(crate) fn look(guard: &(impl Stand + ?Sized)) -> Tried {
    let lock = guard.lock();
    if let Some(lock) = lock {
        lock.acquire();
    }
    // SAFETY: the lock is held.
    let seen = unsafe { guard.look() };
    if let Some(lock) = lock {
        // SAFETY: acquired above.
        unsafe { lock.release() };
    }
    seen
}

/// A guard as an alternation sees it.
///
/// # Safety
/// An implementor leaves no offer standing after `withdraw`, and uses `lock` for all that `attempt`, `stand` and
/// `withdraw` touch.
pub(crate) unsafe trait Stand {
    /// Returns the lock of the channel, or `None` if the guard needs no partner.
    fn lock(&self) -> Option<&dyn RawLock>;

    /// Tries the guard under its own lock, and finishes it.
    fn try_alone(&self, context: &'static Context, place: &'static Location<'static>) -> Tried;

    /// Does the same in a choice by priority. It relies on nothing that was true a moment ago.
    fn try_anew(&self, context: &'static Context, place: &'static Location<'static>) -> Tried {
        self.try_alone(context, place)
    }

    /// Tries the guard. Strangers are woken `later`, when no lock is held.
    ///
    /// # Safety
    /// The caller holds [`lock`](Self::lock).
    unsafe fn attempt(&self, later: &mut Wakes) -> Tried;

    /// Returns the result that `attempt` would have, and performs nothing. It is `Come` for a guard that is always ready. It may be
    /// `Performed` for a guard that turns out not to be ready.
    ///
    /// # Safety
    /// The caller holds the lock.
    unsafe fn look(&self) -> Tried {
        Tried::Performed
    }

    /// Does what `try_alone` does, except if the guard seems to be ready and one of the guards `before` it may have become so earlier. It
    /// then returns `None`, as after a partner that could not keep its word, and nothing was performed.
    ///
    /// `before` is asked while the lock is held. So a thread that has made one of those ready and then this one is known.
    fn try_after(
        &self,
        _context: &'static Context,
        _place: &'static Location<'static>,
        _before: &dyn Before,
    ) -> Option<Tried> {
        self.begin_anew();
        let seen = look(self);
        (!matches!(seen, Tried::Performed | Tried::Come)).then_some(seen)
    }

    /// Returns whether no other thread has ever used the guard's channel. A guard without a channel changes by the time only.
    fn is_alone(&self) -> bool {
        self.lock().is_none_or(RawLock::is_alone)
    }

    /// Puts the guard's offer into its queue.
    ///
    /// # Safety
    /// The caller holds the lock. Guard and waiter stay where they are until `withdraw`, or until the waiter was
    /// committed to this guard.
    unsafe fn stand(&self, waiter: &Waiter, index: u32);

    /// Takes the offer out again, if it is still in.
    fn withdraw(&self);

    /// Finishes the guard after `Performed`, with no lock held. Returns false if the partner could not keep its word. Then nothing was
    /// performed.
    fn finish(&self, context: &'static Context, place: &'static Location<'static>) -> bool;

    /// Prepares the guard. A choice that is awaited calls this before it tries the guard. `try_alone` does it itself.
    fn begin(&self) {}

    /// Does the same in a choice by priority, as [`try_anew`](Self::try_anew).
    fn begin_anew(&self) {
        self.begin();
    }

    /// Does [`finish`](Self::finish) in a choice that is awaited.
    fn poll_finish(
        &self,
        context: &'static Context,
        place: &'static Location<'static>,
        _waker: &Waker,
    ) -> Poll<bool> {
        Poll::Ready(self.finish(context, place))
    }

    /// Gives back the result of the guard, which was chosen, because its future was dropped.
    fn undo(&self) {}

    /// Returns how the channel has ended, if that is why the guard can't be ready any more.
    fn ended(&self) -> Option<Termination> {
        None
    }

    /// Returns whether its channel is away, and its offer has to wait until another thread has packed the values of the buffer.
    fn is_packing(&self) -> bool {
        false
    }

    /// Returns the offer of the guard beyond this OS process, if its channel is away. Returns `None` also while [it is being
    /// packed](Self::is_packing). No lock is held.
    fn post(&self, _context: &'static Context) -> Result<Option<Post>, Termination> {
        Ok(None)
    }

    /// Takes the result of that offer. Returns false if the partner could not keep its word. Then nothing was performed.
    fn came(
        &self,
        _context: &'static Context,
        _done: Done,
        _place: &'static Location<'static>,
    ) -> Result<bool, Termination> {
        Ok(true)
    }

    /// Begins to take it in a choice that is awaited. [`poll_came`](Self::poll_came) follows.
    fn begin_came(&self, _context: &'static Context, _done: Done) -> Result<(), Termination> {
        Ok(())
    }

    /// Takes it in such a choice. Returns what [`came`](Self::came) returns.
    fn poll_came(&self, _waker: &Waker) -> Poll<Result<bool, Termination>> {
        Poll::Ready(Ok(true))
    }

    /// Gives it back, because the future of the choice was dropped.
    fn undo_came(&self, _done: Done) {}

    /// Notes that that offer can't be taken any more.
    fn told(&self, _termination: &Termination, _doubt: Option<Doubt>) {}

    /// Returns the time at which a guard without a partner becomes ready.
    fn deadline(&self, _now: &LazyCell<Instant>) -> Option<Instant> {
        None
    }

    /// Returns whether it would be performed if it were tried now, as far as that can be told.
    fn is_likely(&self) -> bool {
        false
    }

    /// Returns the thing that the guard waits for.
    fn want(&self) -> Want<'_>;

    /// Does the same for a guard whose offer is in its queue. If the future was forgotten, the channel of the guard is sure to be there
    /// only as long as that.
    fn want_standing(&self) -> Option<Want<'_>> {
        Some(self.want())
    }
}

/// A guard lent to one choice. `None` is a guard that is disabled.
#[derive(Clone, Copy)]
pub struct Entry<'a>(pub(crate) Option<&'a dyn Stand>);

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(guard) => write!(f, "{}", guard.want()),
            None => f.write_str("disabled"),
        }
    }
}

/// A guard as `alt!` sees it.
pub trait Guard {
    /// The place of what the guard leaves to its arm.
    type Left;
    /// Lends the guard to one choice.
    fn offer(&mut self) -> Entry<'_>;
    /// Leaves the value for the arm. It is called once, on the guard that was chosen, if that has one.
    fn keep(&mut self, left: &Self::Left);
}

/// A guard whose precondition is false.
impl<G: Guard> Guard for Option<G> {
    type Left = G::Left;

    #[inline(always)]
    fn offer(&mut self) -> Entry<'_> {
        match self {
            Some(guard) => guard.offer(),
            None => Entry(None),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn keep(&mut self, left: &G::Left) {
        self.as_mut().expect("a disabled guard is never chosen").keep(left);
    }
}

// Where the value of an arm of `alt!` lies, from the choice until the arm runs.
//
// Such a place is a variable that is there before the guards and after them. It is filled by pointer, so the value of an arm has no
// other place until the arm takes it. A variable that drops a value at its end would borrow what the value borrows for as long as the
// arm runs. So a place drops nothing: `Sweep` does, if the choice unwinds.

/// Makes an empty place, whose kind follows from the guard that is given it.
// It is not inlined without optimisation, so that it leaves no copy of the place in the user's function.
#[cfg_attr(not(debug_assertions), inline(always))]
pub fn place<P: Default>() -> P {
    P::default()
}

/// A place whose value can be dropped.
pub trait Clear {
    /// Drops it, if anything is there.
    fn clear(&self);
}

/// Drops what lies in a place, unless the choice came to its end.
pub struct Sweep<'a, P: Clear>(&'a P);

impl<'a, P: Clear> Sweep<'a, P> {
    /// Watches over a place.
    #[inline(always)]
    pub fn new(place: &'a P) -> Self {
        Self(place)
    }

    /// The guards are gone, and none of them has panicked.
    #[inline(always)]
    pub fn end(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl<P: Clear> Drop for Sweep<'_, P> {
    #[inline]
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// A place for what a guard has left to its arm.
pub struct LeftValue<V>(ManuallyDrop<Parcel<V>>);

impl<V> Default for LeftValue<V> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn default() -> Self {
        Self(ManuallyDrop::new(Parcel::empty()))
    }
}

impl<V> LeftValue<V> {
    /// Puts the value there.
    pub(crate) fn put(&self, value: V) {
        self.0.put(value);
    }

    #[inline(always)]
    pub(crate) fn parcel(&self) -> &Parcel<V> {
        &self.0
    }

    /// Takes it out.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn open(&self) -> V {
        self.0.open()
    }
}

impl<V> Clear for LeftValue<V> {
    fn clear(&self) {
        self.0.clear();
    }
}
