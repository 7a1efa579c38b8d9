//! The offer of a waiter at one channel, and the partner that a commit makes of it.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use super::gate::Gate;
use super::held::Held;
use super::parcel::Parcel;
use super::promise::Promise;
use super::waiter::{COMMITTED, Outcome, RETRY, Waiter};
use super::word::{Either, Word};
use crate::sync::{Arc, Cell, Mark, Ordering};
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{Context, refuse_to_wait};

/// One waiter's standing wish at one channel: to be given a value, or to give one away.
///
/// With its waiter it fits into one cache line if the value is a word. So later notes are written where its neighbours were, because an
/// offer that was committed is in no queue.
pub(crate) struct Offer<T> {
    /// The neighbour in the queue. Afterwards, if a reader keeps its writer waiting (extended rendezvous), that writer: [`Held`].
    pub(super) next: Cell<*const Self>,
    /// The neighbour in the queue. Afterwards a [`Word`]: for a writer whose value is still to be made, the reader that gets it, and for
    /// a reader that awaits, the value that is made for it.
    pub(super) prev: Cell<*const Self>,
    pub(super) waiter: NonNull<Waiter>,
    pub(super) index: u32,
    /// It is in the queue. A look at a future asks this, to know whether the channel is still there.
    pub(super) queued: Mark,
    /// It is of a reader that keeps its writer waiting.
    pub(super) extended: bool,
    /// The value that a writer gives, or that a reader is given.
    pub(super) value: Parcel<T>,
}

impl<T> Offer<T> {
    /// Makes an offer that gives nothing until its parcel is filled.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn new(waiter: &Waiter, index: u32, extended: bool) -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            waiter: NonNull::from(waiter),
            index,
            queued: Mark::new(),
            extended,
            value: Parcel::empty(),
        }
    }

    /// Makes an offer that stands nowhere yet.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn unstood() -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            waiter: NonNull::dangling(),
            index: 0,
            queued: Mark::new(),
            extended: false,
            value: Parcel::empty(),
        }
    }

    pub(super) fn is_of(&mut self, waiter: &Waiter, index: u32, extended: bool) {
        self.next.set(ptr::null());
        self.prev.set(ptr::null());
        (self.waiter, self.index, self.extended) = (NonNull::from(waiter), index, extended);
    }

    /// Returns the parcel with the result of the offer, once its waiter goes on.
    #[inline(always)]
    pub(crate) fn value(&self) -> &Parcel<T> {
        &self.value
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

    /// Returns the promise through which a late value comes to a reader that awaits.
    pub(crate) fn promise(&self) -> Option<Arc<Promise<T>>> {
        match self.customer() {
            Some(Customer::Awaits(promise)) => Some(promise),
            _ => None,
        }
    }

    /// Returns the gate that opens to a writer that awaits when the extended read of its value ends.
    pub(crate) fn gate(&self) -> Option<Arc<Gate>> {
        match self.held()?.unpack() {
            Either::Left(_) => None,
            Either::Right(gate) => Some(gate),
        }
    }
}

/// A waiter that this process has committed and not yet woken. It stays where it is meanwhile.
#[must_use = "the process that was committed waits until it is woken"]
pub(crate) struct Partner<T> {
    pub(super) offer: NonNull<Offer<T>>,
}

impl<T> Partner<T> {
    #[inline(always)]
    fn offer(&self) -> &Offer<T> {
        // SAFETY: its waiter goes on only after it is woken, and that consumes `self`.
        unsafe { self.offer.as_ref() }
    }

    /// Takes the value of a writer. Returns false if the writer makes it only now.
    #[inline(always)]
    pub(crate) fn pass(&self, to: &Parcel<T>) -> bool {
        self.offer().value.pass(to)
    }

    /// Wakes a writer that makes its value now, and waits for the value. Returns `None` if there is none. Then nothing was agreed.
    #[track_caller]
    pub(crate) fn order(
        self,
        context: &'static Context,
        extended: bool,
        why: &dyn Blocked,
        to: &Parcel<T>,
    ) -> Option<Option<Held>> {
        // A process that unwinds does not wait. To its partner it is as if they had not met.
        if std::thread::panicking() {
            self.disappoint();
            return None;
        }
        if context.is_polled() {
            self.disappoint();
            refuse_to_wait("a read", "read_async().await", why.place());
        }
        let waiter = Waiter::single(context);
        let offer = Offer::new(&waiter, 0, extended);
        waiter.commit(0);
        let customer = Partner { offer: NonNull::from(&offer) };
        self.offer().is_for(Customer::Waits(customer));
        self.wake();
        match waiter.wait_in(context, why, None) {
            Outcome::Retry => None,
            _ => offer.value.pass(to).then(|| offer.held()),
        }
    }

    /// Lets the partner begin anew, because nothing comes of the agreement.
    pub(crate) fn disappoint(self) {
        // SAFETY: as in `wake`.
        unsafe { self.offer().waiter.as_ref() }.state.store(RETRY, Ordering::Relaxed);
        self.wake();
    }

    /// Hands the value to a reader.
    #[inline(always)]
    pub(crate) fn put(&self, value: &Parcel<T>) {
        value.pass(&self.offer().value);
    }

    /// Returns whether it is a reader that keeps its writer waiting.
    #[inline(always)]
    pub(crate) fn is_extended(&self) -> bool {
        self.offer().extended
    }

    /// Wakes a reader that keeps its writer waiting. The calling writer waits until the reader has done.
    #[track_caller]
    pub(crate) fn wake_and_wait(self, context: &'static Context, why: &dyn Blocked) {
        if context.is_polled() {
            self.wake();
            refuse_to_wait("a write", "write_async(value).await", why.place());
        }
        let writer = Waiter::single(context);
        writer.leave(COMMITTED);
        self.offer().holds(Held::waits(NonNull::from(&writer)));
        self.wake();
        writer.wait_in(context, why, None);
    }

    /// Does the same for a writer that awaits. It awaits the gate.
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

    /// [`wake`](Self::wake) under a lock.
    #[inline(always)]
    pub(crate) fn wake_later(self, later: &mut Wakes) {
        // SAFETY: the waiter lives until it is woken.
        unsafe { self.offer().waiter.as_ref() }.wake_later(later);
    }

    /// Keeps it waiting some more.
    pub(crate) fn hold(self) -> Held {
        if self.awaits() {
            // It may be dropped, so it cannot wait for as long as a reader likes.
            let gate = Arc::new(Gate::new());
            self.offer().holds(Held::awaits(Arc::clone(&gate)));
            self.wake();
            return Held::awaits(gate);
        }
        Held::waits(self.offer().waiter)
    }

    /// Returns whether it lies in a future, and so must be woken without delay.
    fn awaits(&self) -> bool {
        // SAFETY: the waiter lives until it is woken.
        unsafe { self.offer().waiter.as_ref() }.awaits()
    }

    /// Wakes a writer that makes its value now. The reader awaits the value.
    pub(crate) fn order_later(self, extended: bool) -> Arc<Promise<T>> {
        let promise = Arc::new(Promise::new(extended));
        self.offer().is_for(Customer::Awaits(Arc::clone(&promise)));
        self.wake();
        promise
    }

    /// Makes a customer of a reader, because its value is made only now.
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
