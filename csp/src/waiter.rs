//! Waiters and offers: how two processes agree.
//!
//! A process that can't go on makes a [`Waiter`] and stands with one [`Offer`] in the queue of each
//! channel it could use; then it parks. Whoever can serve one of the offers *commits* the waiter to it,
//! moves the value, and unparks it. Both live on the waiting process's stack.
//!
//! What holds:
//! - A queue, and the links and values of the offers in it, are touched only under its channel's lock.
//! - A waiter leaves `OFFERING` once. Where it has more than one offer this is one atomic step, because
//!   its channels have as many locks; a waiter with a single offer is decided by that one lock.
//! - Who moved a waiter out of `OFFERING` unparks it, exactly once, and touches neither waiter nor offer
//!   afterwards. The waiter goes on only then. Hence no pointer here ever dangles.
//! - A channel commits one waiter at a time: a process looks for partners while it stands in no queue, or holds
//!   the locks of all its channels (see `alternation`).
//! - A barrier commits many at once. It reserves them one by one, lower address first, and whoever else
//!   wants one of them spins for the few instructions until that is decided. Who spins holds no reservation
//!   of a higher address, and who reserves waits for no lock, so nobody spins for ever.
//! - A waiter that is held for another OS process is, to all others, committed elsewhere. If it is let go it begins
//!   anew, and so finds what has passed it by.
#![allow(unsafe_code)]

mod awaited;

use std::cell::UnsafeCell;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::time::Instant;

#[cfg(loom)]
pub(crate) use self::awaited::shares;
pub(crate) use self::awaited::{Awaited, AwaitedMany, Gate, Made, Promise, Sitting, mark_woken};
use crate::awaiting::Awaiter;
use crate::blocked::Blocked;
use crate::park::{Context, Park, refuse_to_wait};
use crate::sync::{self, Arc, AtomicU32, Cell, Guard, Ordering};

const OFFERING: u32 = 0;
const WITHDRAWN: u32 = 1;
const ENDED: u32 = 2;
const RETRY: u32 = 3;
const RESERVED: u32 = 4;
/// Another OS process decides about it, which takes as long as a message does: nobody waits for that but its own process.
const HELD: u32 = 5;
const COMMITTED: u32 = 6;
/// Beside another: an awaiting waiter was woken, and nobody touches it any more.
const WOKEN: u32 = 1 << 31;

/// What became of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The offer of this index was taken.
    Committed(u32),
    /// A channel it stood at has ended.
    Ended,
    /// It withdrew, because its deadline came.
    Withdrawn,
    /// Its partner could not keep its word: as if nothing had been offered.
    Retry,
}

/// A process that waits until one of its offers is taken.
pub(crate) struct Waiter {
    state: AtomicU32,
    /// Its offers at channels that have not ended.
    live: AtomicU32,
    /// Changes, of an awaiting one, only while it can't be committed.
    whom: Cell<Whom>,
    _pinned: PhantomPinned,
}

/// Whom to wake: a process that waits, or, of a waiter that lies in a future and may be dropped at any time (see [`Awaited`]),
/// whoever awaits. One word; what is said of it stands in its lowest bits.
#[derive(Clone, Copy)]
struct Whom(*const ());

impl Whom {
    /// A waiter with one offer: its channel's lock decides.
    const SINGLE: usize = 1;
    const AWAITS: usize = 2;
    const MARKS: usize = Self::SINGLE | Self::AWAITS;

    #[inline(always)]
    fn waiting(context: &'static Context, single: bool) -> Self {
        const { assert!(align_of::<Context>() > Self::MARKS) };
        Self::marked(ptr::from_ref(context).cast(), if single { Self::SINGLE } else { 0 })
    }

    fn awaiting(awaiter: Awaiter, single: bool) -> Self {
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

    /// None: it awaits.
    #[inline(always)]
    fn context(self) -> Option<&'static Context> {
        // SAFETY: made of one by `waiting`.
        (!self.has(Self::AWAITS)).then(|| unsafe { &*self.unmarked().cast() })
    }

    /// As whom it is woken.
    fn park(self) -> &'static dyn Park {
        match self.context() {
            Some(context) => context.park(),
            // SAFETY: made of one by `awaiting`.
            None => unsafe { Awaiter::of(self.unmarked()) }.park(),
        }
    }
}

impl Waiter {
    /// For a single offer, or something else that one lock decides.
    #[inline(always)]
    pub(crate) fn single(context: &'static Context) -> Self {
        Self::new(context, true, 1)
    }

    /// For the `offers` of an alternation, at so many queues.
    pub(crate) fn many(context: &'static Context, offers: u32) -> Self {
        Self::new(context, false, offers)
    }

    #[inline(always)]
    fn new(context: &'static Context, single: bool, live: u32) -> Self {
        Self::of(Whom::waiting(context, single), live)
    }

    #[inline(always)]
    fn of(whom: Whom, live: u32) -> Self {
        Self {
            state: AtomicU32::new(OFFERING),
            live: AtomicU32::new(live),
            whom: Cell::new(whom),
            _pinned: PhantomPinned,
        }
    }

    #[inline(always)]
    fn is_single(&self) -> bool {
        self.whom.get().has(Whom::SINGLE)
    }

    fn awaits(&self) -> bool {
        self.whom.get().has(Whom::AWAITS)
    }

    fn park(&self) -> &'static dyn Park {
        self.whom.get().park()
    }

    /// Of a process that waits.
    #[inline(always)]
    fn context(&self) -> &'static Context {
        self.whom.get().context().expect("a future does not wait")
    }

    /// Called under the lock of the channel that the offer stands at. True: the waiter is the caller's,
    /// who moves the value and then [`wake`](Self::wake)s it.
    #[inline(always)]
    pub(crate) fn commit(&self, index: u32) -> bool {
        self.leave(COMMITTED + index)
    }

    /// A channel it stands at has ended, for this offer or (poison) for the waiter. True: the waiter has
    /// ended, and the caller wakes it.
    fn end(&self, at_once: bool) -> bool {
        (at_once || self.live.fetch_sub(1, Ordering::AcqRel) == 1) && self.leave(ENDED)
    }

    #[inline(always)]
    fn leave(&self, to: u32) -> bool {
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

    /// The last thing the committer does with a waiter.
    #[inline(always)]
    pub(crate) fn wake(&self) {
        match self.whom.get().context() {
            Some(context) if context.unpark_here() => {}
            Some(context) => context.park().unpark(),
            None => self.wake_awaiting(),
        }
    }

    #[inline(never)]
    fn wake_awaiting(&self) {
        self.park().wake_awaiting(&self.state);
    }

    /// Parks until the waiter is committed or ended, or has withdrawn at its deadline. Every offer must
    /// stand in its queue, or be otherwise known to who will commit.
    #[inline(always)]
    pub(crate) fn wait(&self, why: &dyn Blocked, deadline: Option<Instant>) -> Outcome {
        self.wait_in(self.context(), why, deadline)
    }

    /// [`wait`](Self::wait), where its process is at hand.
    #[inline(always)]
    fn wait_in(
        &self,
        context: &'static Context,
        why: &dyn Blocked,
        deadline: Option<Instant>,
    ) -> Outcome {
        if !context.wait(why, deadline) {
            if !self.is_single() && self.leave(WITHDRAWN) {
                return Outcome::Withdrawn;
            }
            // Committed at the last moment: the unpark is on its way.
            context.park().park(why, None);
        }
        self.outcome()
    }

    #[inline(always)]
    fn outcome(&self) -> Outcome {
        match self.state.load(Ordering::Relaxed) & !WOKEN {
            ENDED => Outcome::Ended,
            RETRY => Outcome::Retry,
            WITHDRAWN => Outcome::Withdrawn,
            committed => Outcome::Committed(committed - COMMITTED),
        }
    }
}

/// What a node does with the waiters of this OS process; see `backend/subprocess/node`. Under its lock.
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
impl Waiter {
    /// [`wait`](Self::wait) for a waiter that only its node decides about: at the deadline it asks to be let go.
    pub(crate) fn wait_or(
        &self,
        why: &dyn Blocked,
        deadline: Option<Instant>,
        withdraw: impl FnOnce(),
    ) -> Outcome {
        let context = self.context();
        if !context.wait(why, deadline) {
            withdraw();
            context.park().park(why, None);
        }
        self.outcome()
    }

    /// Whether its thread has nothing else to run while it waits.
    pub(crate) fn is_alone(&self) -> bool {
        self.park().is_alone()
    }

    /// Whether a thread waits, for this alone.
    pub(crate) fn is_of_thread(&self) -> bool {
        self.park().is_thread()
    }

    /// What has been decided, by a call of its own process: nobody wakes it.
    pub(crate) fn decided(&self) -> Option<Outcome> {
        let decided = !matches!(self.state.load(Ordering::Relaxed), OFFERING | RESERVED | HELD);
        decided.then(|| self.outcome())
    }

    /// Nobody else is to have it, until the node says more. False: somebody has it.
    pub(crate) fn hold(&self) -> bool {
        self.leave(HELD)
    }

    /// Its guard is performed: the waiter was held, or committed to this.
    pub(crate) fn performed(&self, index: u32) {
        self.state.store(COMMITTED + index, Ordering::Release);
    }

    /// Held, and let go; or told to look again. True: the caller wakes it.
    pub(crate) fn begins_anew(&self) -> bool {
        self.leave_held(RETRY) || self.leave(RETRY)
    }

    /// Taken back, as its own process asked for.
    pub(crate) fn withdrawn(&self) {
        self.state.store(WITHDRAWN, Ordering::Release);
    }

    /// What it stood at beyond this OS process has ended. True: so has the waiter, and the caller wakes it.
    pub(crate) fn ended_beyond(&self, at_once: bool) -> bool {
        self.leave_held(ENDED) || self.end(at_once)
    }

    fn leave_held(&self, to: u32) -> bool {
        !self.is_single()
            && self.state.compare_exchange(HELD, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// One waiter's standing wish at one channel: to be given a value, or to give one away.
///
/// With its waiter it is to fit into one cache line, where the value is a word. So what it is kept for in the end is written where its
/// neighbours were: an offer that was committed is in no queue.
pub(crate) struct Offer<T> {
    /// In the queue. Afterwards, of a reader that keeps its writer waiting (extended rendezvous), that writer: [`Held`].
    next: Cell<*const Self>,
    /// In the queue. Afterwards, of a writer whose value is still to be made, the reader it is made for; of a reader that awaits,
    /// the value that is made for it: a [`Word`].
    prev: Cell<*const Self>,
    waiter: NonNull<Waiter>,
    index: u32,
    queued: Cell<bool>,
    /// A reader that keeps its writer waiting.
    extended: bool,
    /// What a writer gives, what a reader is given.
    value: Parcel<T>,
}

/// An option with the sign apart, so that it can stand where there is room.
struct Parcel<T> {
    is_full: Cell<bool>,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Parcel<T> {
    #[inline(always)]
    fn new(value: Option<T>) -> Self {
        let is_full = Cell::new(value.is_some());
        let value = value.map_or_else(MaybeUninit::uninit, MaybeUninit::new);
        Self { is_full, value: UnsafeCell::new(value) }
    }

    #[inline(always)]
    fn put(&self, value: T) {
        drop(self.take());
        // SAFETY: no reference to what is in the cell is ever kept.
        unsafe { (*self.value.get()).write(value) };
        self.is_full.set(true);
    }

    #[inline(always)]
    fn take(&self) -> Option<T> {
        // SAFETY: it is full, and from now on it is not.
        self.is_full.replace(false).then(|| unsafe { (*self.value.get()).assume_init_read() })
    }
}

impl<T> Drop for Parcel<T> {
    #[inline(always)]
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> Offer<T> {
    #[inline(always)]
    pub(crate) fn new(waiter: &Waiter, index: u32, value: Option<T>, extended: bool) -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            waiter: NonNull::from(waiter),
            index,
            queued: Cell::new(false),
            extended,
            value: Parcel::new(value),
        }
    }

    /// What the offer has come to, once its waiter goes on.
    pub(crate) fn served(&self) -> Option<T> {
        self.value.take()
    }

    #[inline(always)]
    pub(crate) fn held(&self) -> Option<Held> {
        debug_assert!(!self.queued.get(), "a neighbour stands there");
        Word::read(self.next.replace(ptr::null())).map(Held)
    }

    fn holds(&self, held: Held) {
        debug_assert!(!self.queued.get(), "a neighbour stands there");
        self.next.set(held.0.written());
    }

    pub(crate) fn customer(&self) -> Option<Customer<T>> {
        debug_assert!(!self.queued.get(), "a neighbour stands there");
        // SAFETY: such words are made by `is_for` only, and this was taken.
        Word::read(self.prev.replace(ptr::null())).map(|word| match unsafe { word.unpack() } {
            Either::Left(offer) => Customer::Waits(Partner { offer }),
            Either::Right(promise) => Customer::Awaits(promise),
        })
    }

    fn is_for(&self, customer: Customer<T>) {
        debug_assert!(!self.queued.get(), "a neighbour stands there");
        let word = match customer {
            Customer::Waits(Partner { offer }) => Word::of(offer),
            Customer::Awaits(promise) => Word::of_share(promise),
        };
        self.prev.set(word.written());
    }

    /// Of a reader that awaits: the value that is made for it.
    pub(crate) fn promise(&self) -> Option<Arc<Promise<T>>> {
        match self.customer() {
            Some(Customer::Awaits(promise)) => Some(promise),
            _ => None,
        }
    }

    /// Of a writer that awaits: the end of the extended read that has its value.
    pub(crate) fn gate(&self) -> Option<Arc<Gate>> {
        match self.held()?.unpack() {
            Either::Left(_) => None,
            Either::Right(gate) => Some(gate),
        }
    }
}

/// Where an alternation's guard keeps the offer that it stands with.
pub(crate) struct Standing<T>(UnsafeCell<Option<Offer<T>>>);

impl<T> Standing<T> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Makes the offer and puts it into a queue.
    ///
    /// # Safety
    /// As [`Queue::push`]; no offer of this guard stands already.
    pub(crate) unsafe fn stand<C: Count>(
        &self,
        queue: &mut Queue<T, C>,
        waiter: &Waiter,
        index: u32,
        value: Option<T>,
        extended: bool,
    ) {
        // SAFETY: no offer stands, so nobody else uses the cell; afterwards it stays as it is.
        let offer = unsafe { &mut *self.0.get() };
        let offer = offer.insert(Offer::new(waiter, index, value, extended));
        // SAFETY: the caller's promise.
        unsafe { queue.push(offer) };
    }

    /// Takes the offer out of the queue, if it is still in.
    pub(crate) fn withdraw<C: Count>(&self, queue: &mut Queue<T, C>) {
        if let Some(offer) = self.offer() {
            queue.remove(offer);
        }
    }

    /// The offer that stood last.
    pub(crate) fn offer(&self) -> Option<&Offer<T>> {
        // SAFETY: written by `stand` only, when no offer stands and no reference to one is kept.
        unsafe { &*self.0.get() }.as_ref()
    }
}

/// What a single offer came to.
pub(crate) struct Served<T> {
    pub(crate) outcome: Outcome,
    /// What a reader was given, or what a writer keeps that was not served.
    pub(crate) value: Option<T>,
    /// The writer that waits for the end of an extended read.
    pub(crate) held: Option<Held>,
}

/// Stands with one offer in one queue until it is taken or the channel ends. `state` is what the
/// channel's lock guards, and `queue` the queue in it.
#[inline(always)]
pub(crate) fn stand<T, S, C: Count>(
    context: &'static Context,
    mut state: Guard<'_, S>,
    queue: impl FnOnce(&mut S) -> &mut Queue<T, C>,
    value: Option<T>,
    extended: bool,
    why: &dyn Blocked,
) -> Served<T> {
    let waiter = Waiter::single(context);
    let offer = Offer::new(&waiter, 0, value, extended);
    // SAFETY: neither moves, and `wait` returns when the offer has left the queue and not before.
    unsafe { queue(&mut state).push(&offer) };
    drop(state);
    let outcome = waiter.wait_in(context, why, None);
    Served { outcome, value: offer.served(), held: offer.held() }
}

/// The offers at one side of a channel, the longest waiting first; counted or not.
pub(crate) struct Queue<T, C = Uncounted> {
    head: *const Offer<T>,
    tail: *const Offer<T>,
    count: C,
}

/// How many offers stand in a queue, as far as that is counted.
pub(crate) trait Count {
    fn one_more(&mut self);
    fn one_less(&mut self);
}

/// They are not.
pub(crate) struct Uncounted;

impl Count for Uncounted {
    #[inline(always)]
    fn one_more(&mut self) {}
    #[inline(always)]
    fn one_less(&mut self) {}
}

impl Count for usize {
    fn one_more(&mut self) {
        *self += 1;
    }

    fn one_less(&mut self) {
        *self -= 1;
    }
}

// SAFETY: a queue is touched under its channel's lock only, and its offers belong to processes that
// hand values of `T` over, from whatever thread.
unsafe impl<T: Send, C: Send> Send for Queue<T, C> {}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null(), tail: ptr::null(), count: Uncounted }
    }
}

impl<T> Queue<T, usize> {
    pub(crate) const fn counted() -> Self {
        Self { head: ptr::null(), tail: ptr::null(), count: 0 }
    }

    /// How many offers stand here, those committed elsewhere included.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Commits `count` waiters, all that stand here, or none; those found committed elsewhere are left out.
    pub(crate) fn commit_all(&mut self, count: usize) -> bool {
        if self.len() < count {
            return false;
        }
        let mut offers = Vec::with_capacity(count);
        while let Some(offer) = self.pop() {
            offers.push(offer);
        }
        // SAFETY: an offer that was in the queue is alive while the lock is held, its waiter as long.
        let of = |offer: &NonNull<Offer<T>>| unsafe { offer.as_ref().waiter.as_ref() };
        let rank = |offer: &NonNull<Offer<T>>| sync::word_rank(&of(offer).state);
        let mut order = offers.clone();
        order.sort_unstable_by_key(rank);
        order.dedup_by_key(|offer| rank(offer));
        order.retain(|offer| of(offer).is_single() || of(offer).leave(RESERVED));
        let all = order.len() == count;
        for offer in &order {
            // SAFETY: as above.
            let index = unsafe { offer.as_ref() }.index;
            of(offer)
                .state
                .store(if all { COMMITTED + index } else { OFFERING }, Ordering::Release);
        }
        if all {
            order.iter().for_each(|offer| of(offer).wake());
        } else {
            let kept =
                |offer: &NonNull<Offer<T>>| order.binary_search_by_key(&rank(offer), rank).is_ok();
            for offer in offers.iter().filter(|offer| kept(offer)) {
                // SAFETY: it was in the queue, and its owner has not been told otherwise.
                unsafe { self.push(offer.as_ref()) };
            }
        }
        all
    }
}

impl<T, C: Count> Queue<T, C> {
    /// Whether no offer stands here, not even one committed elsewhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Puts an offer at the end of the queue.
    ///
    /// # Safety
    /// The offer stays where it is, and so does its waiter, until it has left the queue: until its
    /// waiter's `wait` has returned and, where that has other offers, [`remove`](Self::remove) was called.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, offer: &Offer<T>) {
        offer.next.set(ptr::null());
        offer.prev.set(self.tail);
        offer.queued.set(true);
        if self.tail.is_null() {
            self.head = offer;
        } else {
            // SAFETY: what is in the queue is alive.
            unsafe { (*self.tail).next.set(offer) };
        }
        self.tail = offer;
        self.count.one_more();
    }

    /// Takes an offer out, if it is still in.
    #[inline(always)]
    pub(crate) fn remove(&mut self, offer: &Offer<T>) {
        if !offer.queued.replace(false) {
            return;
        }
        let (prev, next) = (offer.prev.get(), offer.next.get());
        if prev.is_null() {
            self.head = next;
        } else {
            // SAFETY: what is in the queue is alive.
            unsafe { (*prev).next.set(next) };
        }
        if next.is_null() {
            self.tail = prev;
        } else {
            // SAFETY: as above.
            unsafe { (*next).prev.set(prev) };
        }
        offer.next.set(ptr::null());
        offer.prev.set(ptr::null());
        self.count.one_less();
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<NonNull<Offer<T>>> {
        let first = NonNull::new(self.head.cast_mut())?;
        // SAFETY: what is in the queue is alive.
        self.remove(unsafe { first.as_ref() });
        Some(first)
    }

    /// Commits the waiter that stands here longest; those found committed elsewhere are left out.
    #[inline(always)]
    pub(crate) fn commit_first(&mut self) -> Option<Partner<T>> {
        while let Some(offer) = self.pop() {
            // SAFETY: an offer that was in the queue is alive while the lock is held.
            let (waiter, index) = unsafe { (offer.as_ref().waiter, offer.as_ref().index) };
            // SAFETY: a waiter lives as long as its offers.
            if unsafe { waiter.as_ref() }.commit(index) {
                return Some(Partner { offer });
            }
        }
        None
    }

    /// All who stand here are to look again.
    pub(crate) fn begin_anew(&mut self) {
        while let Some(offer) = self.pop() {
            // SAFETY: as in `commit_first`.
            let waiter = unsafe { offer.as_ref().waiter.as_ref() };
            if waiter.leave(RETRY) {
                waiter.wake();
            }
        }
    }

    /// The channel has ended: who waits only here, has ended too; of `poison` also who waits elsewhere.
    pub(crate) fn end_all(&mut self, poison: bool) {
        while let Some(offer) = self.pop() {
            // SAFETY: as in `commit_first`.
            let waiter = unsafe { offer.as_ref().waiter.as_ref() };
            if waiter.end(poison) {
                waiter.wake();
            }
        }
    }
}

/// A waiter committed by this process and not yet woken: it stays where it is meanwhile.
#[must_use = "the process that was committed waits until it is woken"]
pub(crate) struct Partner<T> {
    offer: NonNull<Offer<T>>,
}

impl<T> Partner<T> {
    #[inline(always)]
    fn offer(&self) -> &Offer<T> {
        // SAFETY: its waiter goes on only after it is woken, and that consumes `self`.
        unsafe { self.offer.as_ref() }
    }

    /// The value of a writer; None if it makes that only now.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<T> {
        self.offer().value.take()
    }

    /// Such a writer makes its value now: wakes it, and waits for the value. None: there is none, and
    /// nothing was agreed.
    pub(crate) fn order(
        self,
        context: &'static Context,
        extended: bool,
        why: &dyn Blocked,
    ) -> Option<(T, Option<Held>)> {
        // A process that unwinds does not wait; to its partner it is as if they had not met.
        if std::thread::panicking() {
            self.disappoint();
            return None;
        }
        if context.is_polled() {
            self.disappoint();
            refuse_to_wait("a read", "read_async().await");
        }
        let waiter = Waiter::single(context);
        let offer = Offer::new(&waiter, 0, None, extended);
        waiter.commit(0);
        let customer = Partner { offer: NonNull::from(&offer) };
        self.offer().is_for(Customer::Waits(customer));
        self.wake();
        match waiter.wait_in(context, why, None) {
            Outcome::Retry => None,
            _ => Some((offer.served()?, offer.held())),
        }
    }

    /// Nothing comes of it after all: the partner begins anew.
    pub(crate) fn disappoint(self) {
        // SAFETY: as in `wake`.
        unsafe { self.offer().waiter.as_ref() }.state.store(RETRY, Ordering::Relaxed);
        self.wake();
    }

    /// The value for a reader.
    #[inline(always)]
    pub(crate) fn put(&self, value: T) {
        self.offer().value.put(value);
    }

    /// Whether it is a reader that keeps its writer waiting.
    #[inline(always)]
    pub(crate) fn is_extended(&self) -> bool {
        self.offer().extended
    }

    /// Wakes such a reader, and keeps the calling writer waiting until the reader has done.
    pub(crate) fn wake_and_wait(self, context: &'static Context, why: &dyn Blocked) {
        if context.is_polled() {
            self.wake();
            refuse_to_wait("a write", "write_async(value).await");
        }
        let writer = Waiter::single(context);
        writer.leave(COMMITTED);
        self.offer().holds(Held::waits(NonNull::from(&writer)));
        self.wake();
        writer.wait_in(context, why, None);
    }

    /// Wakes such a reader; who writes awaits the gate.
    pub(crate) fn wake_and_await(self) -> Arc<Gate> {
        let gate = Arc::new(Gate::new());
        self.offer().holds(Held::awaits(Arc::clone(&gate)));
        self.wake();
        gate
    }

    #[inline(always)]
    pub(crate) fn wake(self) {
        // SAFETY: the waiter lives until it is woken.
        unsafe { self.offer().waiter.as_ref() }.wake();
    }

    /// Keeps it waiting some more.
    pub(crate) fn hold(self) -> Held {
        if self.awaits() {
            // Not for so long as a reader likes: it may be dropped.
            let gate = Arc::new(Gate::new());
            self.offer().holds(Held::awaits(Arc::clone(&gate)));
            self.wake();
            return Held::awaits(gate);
        }
        Held::waits(self.offer().waiter)
    }

    /// Whether it lies in a future, and so is to be woken without delay.
    fn awaits(&self) -> bool {
        // SAFETY: the waiter lives until it is woken.
        unsafe { self.offer().waiter.as_ref() }.awaits()
    }

    /// Such a writer makes its value now: wakes it. The value is awaited.
    pub(crate) fn order_later(self, extended: bool) -> Arc<Promise<T>> {
        let promise = Arc::new(Promise::new(extended));
        self.offer().is_for(Customer::Awaits(Arc::clone(&promise)));
        self.wake();
        promise
    }

    /// A reader whose value is made only now.
    pub(crate) fn into_customer(self) -> Customer<T> {
        if !self.awaits() {
            return Customer::Waits(self);
        }
        let promise = Arc::new(Promise::new(self.is_extended()));
        self.offer().is_for(Customer::Awaits(Arc::clone(&promise)));
        self.wake();
        Customer::Awaits(promise)
    }
}

/// A reader that a value is made for.
pub(crate) enum Customer<T> {
    Waits(Partner<T>),
    Awaits(Arc<Promise<T>>),
}

/// A writer whose value was taken and which waits until it is released: its waiter, or the gate that it awaits.
#[must_use = "the writer waits until it is released"]
pub(crate) struct Held(Word);

// SAFETY: all that is done with it is to unpark, which any thread may do.
unsafe impl Send for Held {}
// SAFETY: as above; a shared reference does nothing.
unsafe impl Sync for Held {}

impl Held {
    fn waits(waiter: NonNull<Waiter>) -> Self {
        Self(Word::of(waiter))
    }

    pub(super) fn awaits(gate: Arc<Gate>) -> Self {
        Self(Word::of_share(gate))
    }

    fn unpack(self) -> Either<Waiter, Gate> {
        // SAFETY: it is made of one of these, above, and ends here.
        unsafe { self.0.unpack() }
    }

    /// Called once, as the last thing that is done with it.
    pub(crate) fn release(&self) {
        match Self(self.0).unpack() {
            // SAFETY: the waiter is committed and not yet woken, so it waits.
            Either::Left(waiter) => unsafe { waiter.as_ref() }.wake(),
            Either::Right(gate) => gate.open(),
        }
    }

    /// Nobody waits after all.
    fn forget(self) {
        drop(self.unpack());
    }
}

/// Where something is, or a share in it, in one word; nothing is dropped with that. So what never has a share, as processes with
/// stacks do not, has nothing to look for in the end.
#[derive(Clone, Copy)]
struct Word(NonNull<()>);

/// The other of the two, as it was put into a [`Word`].
enum Either<L, R> {
    Left(NonNull<L>),
    Right(Arc<R>),
}

impl Word {
    const SHARE: usize = 1;

    /// As it is kept in the place of a neighbour.
    fn written<T>(self) -> *const T {
        self.0.as_ptr().cast_const().cast()
    }

    #[inline(always)]
    fn read<T>(written: *const T) -> Option<Self> {
        NonNull::new(written.cast_mut()).map(|place| Self(place.cast()))
    }

    fn of<L>(place: NonNull<L>) -> Self {
        const { assert!(align_of::<L>() > Self::SHARE) };
        Self(place.cast())
    }

    fn of_share<R>(share: Arc<R>) -> Self {
        const { assert!(align_of::<R>() > Self::SHARE) };
        let place = Arc::into_raw(share).map_addr(|address| address | Self::SHARE);
        // SAFETY: it is no null pointer.
        Self(unsafe { NonNull::new_unchecked(place.cast_mut()) }.cast())
    }

    /// # Safety
    /// It was made of one of the two, and a share is taken out of it once.
    unsafe fn unpack<L, R>(self) -> Either<L, R> {
        if self.0.addr().get() & Self::SHARE == 0 {
            return Either::Left(self.0.cast());
        }
        let place = self.0.as_ptr().map_addr(|address| address & !Self::SHARE);
        // SAFETY: the share that was put into it; the caller's promise.
        Either::Right(unsafe { Arc::from_raw(place.cast::<R>()) })
    }
}

/// A share that its owner takes out, or leaves for ever: nothing is dropped with it.
pub(crate) struct Slot<T>(std::cell::Cell<Option<NonNull<T>>>);

impl<T> Slot<T> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self(std::cell::Cell::new(None))
    }

    pub(crate) fn put(&self, share: Arc<T>) {
        self.0.set(NonNull::new(Arc::into_raw(share).cast_mut()));
    }

    pub(crate) fn take(&self) -> Option<Arc<T>> {
        // SAFETY: it was put there, and is taken once.
        self.0.take().map(|share| unsafe { Arc::from_raw(share.as_ptr()) })
    }
}

/// Where one process waits for something that the lock around it decides.
pub(crate) struct Seat(Option<NonNull<Waiter>>);

// SAFETY: what sits there is committed and unparked under the lock, by whatever thread.
unsafe impl Send for Seat {}

impl Seat {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Waits in the seat until it is called.
    pub(crate) fn wait<S>(
        context: &'static Context,
        mut state: Guard<'_, S>,
        seat: impl FnOnce(&mut S) -> &mut Self,
        why: &dyn Blocked,
    ) {
        let waiter = Waiter::single(context);
        let seat = seat(&mut state);
        assert!(seat.0.is_none(), "one process at a time waits here");
        seat.0 = Some(NonNull::from(&waiter));
        drop(state);
        waiter.wait_in(context, why, None);
    }

    /// Lets go whoever waits here.
    pub(crate) fn call(&mut self) {
        if let Some(waiter) = self.0.take() {
            // SAFETY: who sits there waits until it is woken.
            let waiter = unsafe { waiter.as_ref() };
            waiter.commit(0);
            waiter.wake();
        }
    }
}
