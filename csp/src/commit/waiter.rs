//! Waiters and offers: how two processes agree.
//!
//! A process that can't go on makes a [`Waiter`], and places one [`Offer`](super::offer::Offer) in the queue of each channel that it could use. Then it
//! parks. A process that can serve one of the offers *commits* the waiter to it, moves the value, and unparks the waiter. Waiter
//! and offers live on the waiting process's stack.
//!
//! Invariants:
//! - A queue, and the links and values of the offers in it, are touched only under its channel's lock.
//! - A waiter leaves `OFFERING` once. If it has several offers this is one atomic step, because its channels have as many locks.
//!   The one lock decides about a waiter with a single offer.
//! - The thread that moved a waiter out of `OFFERING` unparks it, exactly once. Afterwards it touches neither waiter nor offer.
//!   The waiter goes on only then. Hence no pointer here ever dangles.
//! - Under a lock a waiter is woken by `Partner::wake_later` or its like. A waker may be the user's code, which runs when no lock
//!   is held (see [`Wakes`]).
//! - A channel commits one waiter at a time. A process that looks for partners stands in no queue, or holds the locks of all its
//!   channels (see `alternation`).
//! - A barrier commits many waiters at once. It reserves them one by one, lower address first. Another thread that wants one of
//!   them spins for the few instructions until that is decided. A spinning thread holds no reservation of a higher address, and a
//!   thread with reservations waits for no lock. So no thread spins for ever.
//! - A waiter that is held for another OS process counts for all others as committed elsewhere. If it is let go it begins anew,
//!   and so finds what it has missed.
#![allow(unsafe_code)]

use std::marker::{PhantomData, PhantomPinned};
use std::ptr;
use std::time::Instant;

use crate::sync::{self, AtomicU32, Ordering};
use crate::wait::blocked::Blocked;
use crate::wait::future::Awaiter;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{Context, Park, WOKEN};

pub(super) const OFFERING: u32 = 0;
pub(super) const WITHDRAWN: u32 = 1;
const ENDED: u32 = 2;
pub(super) const RETRY: u32 = 3;
pub(super) const RESERVED: u32 = 4;
/// Another OS process decides about it, which takes as long as a message does. Only its own process waits for that.
const HELD: u32 = 5;
pub(super) const COMMITTED: u32 = 6;

/// The first number by which a waiter is committed to an offer beyond this OS process.
pub(crate) const BEYOND: u32 = 1 << 16;

/// The outcome of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The offer of this index was taken.
    Committed(u32),
    /// A channel it stood at has ended.
    Ended,
    /// It withdrew, because its deadline came.
    Withdrawn,
    /// Its partner could not keep its word. It is as if nothing had been offered.
    Retry,
}

/// A process that waits until one of its offers is taken.
pub(crate) struct Waiter {
    pub(super) state: AtomicU32,
    /// Its offers at channels that have not ended.
    live: AtomicU32,
    whom: AtomicWhom,
    _pinned: PhantomPinned,
    /// A waiter is neither `Send` nor `Sync`, and so is no future that holds one: it acts for a process of its thread.
    _of_its_thread: PhantomData<*const ()>,
}

/// The process to wake: one that waits, or one that awaits. In the second case the waiter lies in a future, which may be dropped at
/// any time (see `Awaited`). This is one word with marks in its lowest bits.
#[derive(Clone, Copy)]
pub(super) struct Whom(pub(super) *const ());

impl Whom {
    /// The waiter has one offer, so its channel's lock decides.
    const SINGLE: usize = 1;
    const AWAITS: usize = 2;
    const MARKS: usize = Self::SINGLE | Self::AWAITS;

    #[inline(always)]
    fn waiting(context: &'static Context, single: bool) -> Self {
        const { assert!(align_of::<Context>() > Self::MARKS) };
        Self::marked(ptr::from_ref(context).cast(), if single { Self::SINGLE } else { 0 })
    }

    pub(super) fn awaiting(awaiter: Awaiter, single: bool) -> Self {
        let mark = if single { Self::SINGLE } else { 0 };
        Self::marked(awaiter.thin(), mark | Self::AWAITS)
    }

    #[inline(always)]
    fn marked(at: *const (), marks: usize) -> Self {
        Self(at.map_addr(|at| at | marks))
    }

    #[inline(always)]
    fn has(self, mark: usize) -> bool {
        self.0.addr() & mark != 0
    }

    #[inline(always)]
    fn unmarked(self) -> *const () {
        self.0.map_addr(|at| at & !Self::MARKS)
    }

    /// Returns the process that waits. Returns `None` if it awaits.
    #[inline(always)]
    pub(super) fn context(self) -> Option<&'static Context> {
        // SAFETY: made of one by `waiting`.
        (!self.has(Self::AWAITS)).then(|| unsafe { &*self.unmarked().cast() })
    }

    /// Returns the way in which it is woken.
    fn park(self) -> &'static dyn Park {
        match self.context() {
            Some(context) => context.park(),
            // SAFETY: made of one by `awaiting`.
            None => unsafe { Awaiter::of(self.unmarked()) }.park(),
        }
    }
}

/// The process that a waiter wakes at present. It changes only in a waiter that awaits, and only while nothing can commit the waiter. The lock
/// that this needs comes between the change and the wake-up, so the order of the two is known. Other threads may look at the marks at any
/// time, without that lock. The marks stay as they are.
#[cfg(not(loom))]
struct AtomicWhom(crate::sync::AtomicPtr<()>);

#[cfg(not(loom))]
impl AtomicWhom {
    #[inline(always)]
    fn new(whom: Whom) -> Self {
        Self(crate::sync::AtomicPtr::new(whom.0.cast_mut()))
    }

    #[inline(always)]
    fn get(&self) -> Whom {
        Whom(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, whom: Whom) {
        self.0.store(whom.0.cast_mut(), Ordering::Relaxed);
    }
}

/// In a model it is a plain cell, because each access to an atomic would be a step of every model. No model has a waiter that stands here
/// and beyond, and only such a waiter is looked at without the lock.
#[cfg(loom)]
type AtomicWhom = crate::sync::Cell<Whom>;

impl Waiter {
    /// Makes a waiter for a single offer, or for something else that one lock decides.
    #[inline(always)]
    pub(crate) fn single(context: &'static Context) -> Self {
        Self::new(context, true, 1)
    }

    /// Makes a waiter for the `offers` of an alternation, at as many queues.
    pub(crate) fn many(context: &'static Context, offers: u32) -> Self {
        Self::new(context, false, offers)
    }

    #[inline(always)]
    fn new(context: &'static Context, single: bool, live: u32) -> Self {
        Self::of(Whom::waiting(context, single), live)
    }

    #[inline(always)]
    pub(super) fn of(whom: Whom, live: u32) -> Self {
        Self {
            state: AtomicU32::new(OFFERING),
            live: AtomicU32::new(live),
            whom: AtomicWhom::new(whom),
            _pinned: PhantomPinned,
            _of_its_thread: PhantomData,
        }
    }

    /// Returns the process to wake. A thread that has committed the waiter gets the one that it is to wake.
    #[inline(always)]
    pub(super) fn whom(&self) -> Whom {
        self.whom.get()
    }

    /// Makes it wait for another process. It awaits, and nothing commits it meanwhile.
    pub(super) fn is_for(&self, whom: Whom) {
        self.whom.set(whom);
    }

    #[inline(always)]
    pub(super) fn is_single(&self) -> bool {
        self.whom().has(Whom::SINGLE)
    }

    pub(super) fn awaits(&self) -> bool {
        self.whom().has(Whom::AWAITS)
    }

    /// Returns whether its waker is no process of its thread. Only a waiter that awaits is asked.
    #[inline(always)]
    pub(crate) fn is_strange(&self) -> bool {
        // SAFETY: made of one by `awaiting`, and not forgotten.
        unsafe { Awaiter::of(self.whom().unmarked()) }.is_strange()
    }

    pub(super) fn park(&self) -> &'static dyn Park {
        self.whom().park()
    }

    /// Returns the process that waits.
    #[inline(always)]
    fn context(&self) -> &'static Context {
        self.whom().context().expect("a future does not wait")
    }

    /// Commits the waiter, under the lock of the channel that the offer stands at. If this returns true, the caller moves the value
    /// and then [`wake`](Self::wake)s the waiter.
    #[inline(always)]
    pub(crate) fn commit(&self, index: u32) -> bool {
        self.leave(COMMITTED + index)
    }

    /// Notes that a channel it stands at has ended, for this offer or, by poison, for the waiter. If this returns true, the waiter has
    /// ended, and the caller wakes it.
    pub(super) fn end(&self, at_once: bool) -> bool {
        (at_once || self.live.fetch_sub(1, Ordering::AcqRel) == 1) && self.leave(ENDED)
    }

    #[inline(always)]
    pub(super) fn leave(&self, to: u32) -> bool {
        if self.is_single() {
            self.state.store(to, Ordering::Relaxed);
            return true;
        }
        match self.state.compare_exchange(OFFERING, to, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => true,
            Err(RESERVED) => self.leave_when_decided(to),
            Err(_) => false,
        }
    }

    #[cold]
    fn leave_when_decided(&self, to: u32) -> bool {
        loop {
            match self.state.compare_exchange(OFFERING, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(RESERVED) => sync::spin(),
                Err(_) => return false,
            }
        }
    }

    /// Wakes it. This is the last thing that the committing thread does with a waiter.
    #[inline(always)]
    pub(crate) fn wake(&self) {
        match self.whom().context() {
            Some(context) if context.unpark_here() => {}
            Some(context) => context.park().unpark(),
            None => self.wake_awaiting(),
        }
    }

    #[inline(never)]
    fn wake_awaiting(&self) {
        self.park().wake_awaiting(&self.state);
    }

    /// Does [`wake`](Self::wake) under a lock. Wake-ups of the user's wakers are put off until the lock is free.
    #[inline(always)]
    pub(crate) fn wake_later(&self, later: &mut Wakes) {
        match self.whom().context() {
            Some(context) if context.unpark_here() => {}
            Some(context) => context.park().unpark(),
            None => self.wake_awaiting_later(later),
        }
    }

    #[inline(never)]
    fn wake_awaiting_later(&self, later: &mut Wakes) {
        self.park().wake_awaiting_later(&self.state, later);
    }

    /// Parks until the waiter is committed or ended, or has withdrawn at its deadline. Every offer
    /// must stand in its queue, or be known in another way to the process that will commit it.
    #[inline(always)]
    pub(crate) fn wait(&self, why: &dyn Blocked, deadline: Option<Instant>) -> Outcome {
        self.wait_in(self.context(), why, deadline)
    }

    /// Does [`wait`](Self::wait), where its process is at hand.
    #[inline(always)]
    pub(super) fn wait_in(
        &self,
        context: &'static Context,
        why: &dyn Blocked,
        deadline: Option<Instant>,
    ) -> Outcome {
        if !context.wait(why, deadline) {
            if !self.is_single() && self.leave(WITHDRAWN) {
                return Outcome::Withdrawn;
            }
            // It was committed at the last moment, so the unpark is on its way.
            context.wait_otherwise(why, None);
        }
        self.outcome()
    }

    /// Does [`wait`](Self::wait) for a single offer, without a deadline. The caller asks for the [`outcome`](Self::outcome) if it needs
    /// that. Many a caller needs none.
    #[inline(always)]
    pub(super) fn settle(&self, context: &'static Context, why: &dyn Blocked) {
        if !context.wait(why, None) {
            // It was committed at the last moment, so the unpark is on its way.
            context.wait_otherwise(why, None);
        }
    }

    /// Returns whether an offer was taken. The wait has ended.
    #[inline(always)]
    pub(super) fn is_committed(&self) -> bool {
        self.state.load(Ordering::Relaxed) & !WOKEN >= COMMITTED
    }

    /// Returns the outcome of a wait that has ended.
    #[inline(always)]
    pub(crate) fn outcome(&self) -> Outcome {
        match self.state.load(Ordering::Relaxed) & !WOKEN {
            ENDED => Outcome::Ended,
            RETRY => Outcome::Retry,
            WITHDRAWN => Outcome::Withdrawn,
            committed => Outcome::Committed(committed - COMMITTED),
        }
    }
}

/// The operations of a node on the waiters of this OS process, under its lock (see `backend/subprocess/node`).
impl Waiter {
    /// Does [`wait`](Self::wait) for a waiter that only its node decides about. At the deadline it asks to be let go.
    pub(crate) fn wait_or(
        &self,
        why: &dyn Blocked,
        deadline: Option<Instant>,
        withdraw: impl FnOnce(),
    ) -> Outcome {
        let context = self.context();
        let in_time = context.wait(why, deadline);
        if !in_time {
            withdraw();
            context.wait_otherwise(why, None);
        }
        match self.outcome() {
            // Its thread ends, and has asked for that.
            Outcome::Withdrawn if in_time => {
                context.dismiss();
                Outcome::Retry
            }
            outcome => outcome,
        }
    }

    /// Returns whether the process of this context waits here.
    pub(crate) fn is_of(&self, context: usize) -> bool {
        self.whom().context().is_some_and(|of| ptr::from_ref(of).addr() == context)
    }

    /// Has its process begin anew, because its thread ends. Returns false if somebody has it. Not for a waiter with a single
    /// offer, which another lock may decide.
    pub(crate) fn dismiss(&self) -> bool {
        debug_assert!(!self.is_single());
        self.leave(RETRY)
    }

    /// Returns whether its thread has nothing else to run while it waits.
    pub(crate) fn is_alone(&self) -> bool {
        self.park().is_alone()
    }

    /// Returns whether a thread waits, for this alone.
    pub(crate) fn is_of_thread(&self) -> bool {
        self.park().is_thread()
    }

    /// Returns what a call of its own process has decided. No thread wakes it then.
    pub(crate) fn decided(&self) -> Option<Outcome> {
        let decided = !matches!(self.state.load(Ordering::Relaxed), OFFERING | RESERVED | HELD);
        decided.then(|| self.outcome())
    }

    /// Holds it, so that no other process can have it until the node decides. Returns false if it was committed already.
    pub(crate) fn hold(&self) -> bool {
        self.leave(HELD)
    }

    /// Returns whether its node holds it until another partner has answered.
    pub(crate) fn is_held(&self) -> bool {
        self.state.load(Ordering::Acquire) == HELD
    }

    /// Returns whether its node has it: it is held, or committed to an offer beyond this OS process.
    pub(crate) fn is_with_node(&self) -> bool {
        let state = self.state.load(Ordering::Acquire) & !WOKEN;
        state == HELD || state >= COMMITTED + BEYOND
    }

    /// Notes that its guard is performed. The waiter was held, or committed to this.
    pub(crate) fn performed(&self, index: u32) {
        self.state.store(COMMITTED + index, Ordering::Release);
    }

    /// Returns whether nothing has been decided about it.
    pub(super) fn offers(&self) -> bool {
        self.state.load(Ordering::Acquire) == OFFERING
    }

    /// Lets a held waiter offer what it has offered before, because it has missed nothing.
    pub(crate) fn stands_again(&self) -> bool {
        self.leave_held(OFFERING)
    }

    /// Lets a held waiter go, or tells one to look again. If this returns true, the caller wakes it.
    pub(crate) fn begins_anew(&self) -> bool {
        self.leave_held(RETRY) || self.leave(RETRY)
    }

    /// Notes that it was taken back, as its own process asked for.
    pub(crate) fn withdrawn(&self) {
        self.state.store(WITHDRAWN, Ordering::Release);
    }

    /// Notes that a channel it stood at beyond this OS process has ended. If this returns true, the waiter has ended too, and the
    /// caller wakes it.
    pub(crate) fn ended_beyond(&self, at_once: bool) -> bool {
        self.leave_held(ENDED) || self.end(at_once)
    }

    fn leave_held(&self, to: u32) -> bool {
        !self.is_single()
            && self.state.compare_exchange(HELD, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
