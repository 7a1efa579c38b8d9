//! Floor 3. The offers that stand at one side of a channel.
#![allow(unsafe_code)]

#[allow(dead_code, reason = "for schedulers on several cores")]
pub(crate) mod line;

use std::ptr::{self, NonNull};

use crate::commit::offer::{Offer, Partner};
use crate::commit::waiter::{COMMITTED, OFFERING, RESERVED, RETRY};
use crate::sync::{self, Ordering};
use crate::wait::future::wakes::Wakes;

/// The offers at one side of a channel, the longest waiting first. They may be counted.
pub(crate) struct Queue<T, C = Uncounted> {
    head: *const Offer<T>,
    tail: *const Offer<T>,
    count: C,
}

/// The number of offers in a queue, if they are counted.
pub(crate) trait Count {
    fn one_more(&mut self);
    fn one_less(&mut self);
}

/// No count.
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

    /// Returns the number of offers here, those committed elsewhere included.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Commits all waiters that stand here if they are `count`, or none. Waiters that are committed elsewhere are left out.
    pub(crate) fn commit_all(&mut self, count: usize, later: &mut Wakes) -> bool {
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
            order.iter().for_each(|offer| of(offer).wake_later(later));
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
    /// Returns whether no offer stands here, not even one committed elsewhere.
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
        if !offer.queued.get() {
            return;
        }
        offer.queued.set(false);
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

    /// Commits the waiter that stands here longest. Waiters that are committed elsewhere are left out.
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

    /// Makes all waiters here look again.
    pub(crate) fn begin_anew(&mut self, later: &mut Wakes) {
        while let Some(offer) = self.pop() {
            // SAFETY: as in `commit_first`.
            let waiter = unsafe { offer.as_ref().waiter.as_ref() };
            if waiter.leave(RETRY) {
                waiter.wake_later(later);
            }
        }
    }

    /// Makes the process with this context look again, if it stands here. Returns false if it does not, or was committed.
    pub(crate) fn dismiss(&mut self, context: usize) -> bool {
        let mut next = self.head;
        // SAFETY: what is in the queue is alive.
        while let Some(offer) = unsafe { next.as_ref() } {
            next = offer.next.get();
            // SAFETY: as in `commit_first`.
            let waiter = unsafe { offer.waiter.as_ref() };
            let of = waiter.whom().context().map(|of| ptr::from_ref(of).addr());
            if of == Some(context) {
                self.remove(offer);
                if waiter.leave(RETRY) {
                    waiter.wake();
                    return true;
                }
            }
        }
        false
    }

    /// Ends the waiters here, because the channel has ended. A waiter with offers elsewhere ends only by `poison`.
    pub(crate) fn end_all(&mut self, poison: bool, later: &mut Wakes) {
        while let Some(offer) = self.pop() {
            // SAFETY: as in `commit_first`.
            let waiter = unsafe { offer.as_ref().waiter.as_ref() };
            if waiter.end(poison) {
                waiter.wake_later(later);
            }
        }
    }
}
