//! The readers of one scheduler that stand at a channel which several schedulers use, the longest waiting first.
//!
//! An offer stands here instead of in a [`Queue`]. It is a single one of a process that waits, so the lock of its
//! channel decides, and no process withdraws it. Each has a stamp, which says when it came.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ptr::{self, NonNull};

use super::Queue;
use crate::commit::offer::{Offer, Partner};
use crate::sync::planted::is_planted;
use crate::wait::park::{Context, SchedulerId};

/// Readers that were committed without a value. They are woken when this is dropped, which is best when no lock is held.
#[must_use = "they are woken when it is dropped, and that is to be behind the lock"]
pub(crate) struct ToldReaders<T>(*const Offer<T>);

impl<T> ToldReaders<T> {
    pub(crate) const fn nobody() -> Self {
        Self(ptr::null())
    }

    /// Adds a reader. Its offer stands nowhere, so its link is free.
    pub(crate) fn push(&mut self, reader: Partner<T>) {
        // SAFETY: it stays where it is until it is woken, and that is done here.
        unsafe { reader.offer.as_ref() }.next.set(self.0);
        self.0 = reader.offer.as_ptr();
    }

    /// Wakes them.
    #[inline(always)]
    pub(crate) fn wake(self) {}

    #[cold]
    #[inline(never)]
    fn wake_all(&mut self) {
        while let Some(offer) = NonNull::new(self.0.cast_mut()) {
            // SAFETY: as in `push`. A reader expects nothing in its link.
            self.0 = unsafe { offer.as_ref() }.next.replace(ptr::null());
            Partner { offer }.wake();
        }
    }
}

impl<T> Drop for ToldReaders<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.0.is_null() {
            self.wake_all();
        }
    }
}

/// The moment at which a reader came.
pub(crate) type Stamp = u64;

/// The stamp of those that came before there were lines, and stood at the head of the queue.
pub(crate) const EARLIEST: Stamp = 0;

/// The stamp of the first one that stays in the queue then, and of those that stood behind it.
pub(crate) const BEHIND: Stamp = 1;

/// Returns the address of the last offer of a queue.
pub(crate) fn address_of_last<T>(queue: &Queue<T>) -> Option<usize> {
    (!queue.is_empty()).then(|| queue.tail.addr())
}

/// Returns the addresses of the offers of a queue.
pub(crate) fn addresses_of<T>(queue: &Queue<T>) -> impl Iterator<Item = usize> {
    // SAFETY: what is in the queue is alive.
    let next = |offer: &*const Offer<T>| unsafe { offer.as_ref() }.map(|offer| offer.next.get());
    let all = std::iter::successors(Some(queue.head), next);
    all.take_while(|offer| !offer.is_null()).map(<*const Offer<T>>::addr)
}

/// Commits the waiter that stands longest in a queue, if it has its turn. That is asked of the address of its offer. Waiters that are
/// committed elsewhere are left out, and each one that follows is asked about anew.
pub(crate) fn commit_in_turn<T>(
    queue: &mut Queue<T>,
    has_turn: impl Fn(usize) -> bool,
) -> Option<Partner<T>> {
    while !queue.is_empty() && has_turn(queue.head.addr()) {
        let offer = queue.pop()?;
        // SAFETY: an offer that was in the queue is alive while the lock is held.
        let (waiter, index) = unsafe { (offer.as_ref().waiter, offer.as_ref().index) };
        // SAFETY: a waiter lives as long as its offers.
        if unsafe { waiter.as_ref() }.commit(index) {
            return Some(Partner { offer });
        }
    }
    None
}

pub(crate) struct ReaderLine<T>(VecDeque<(Stamp, NonNull<Offer<T>>)>);

// SAFETY: as a queue.
unsafe impl<T: Send> Send for ReaderLine<T> {}

impl<T> ReaderLine<T> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Puts an offer at the end of the line, or before all that came later if its reader has been there before.
    ///
    /// # Safety
    /// The offer is a single one of a process that waits. The offer and its waiter stay where they are until the waiter's `wait` has
    /// returned.
    pub(crate) unsafe fn push(&mut self, offer: &Offer<T>, stamp: Stamp, again: bool) {
        let offer = NonNull::from(offer);
        if again {
            // Mostly that is the head. Another one may have been told while this one waited for a value that was not made.
            let at = match is_planted("one that stands again goes to the head") {
                true => 0,
                false => self.0.partition_point(|(other, _)| *other < stamp),
            };
            self.0.insert(at, (stamp, offer));
        } else {
            self.0.push_back((stamp, offer));
        }
    }

    /// Returns the scheduler of the first plain reader in a queue that has one.
    pub(crate) fn scheduler_of(queue: &Queue<T>) -> SchedulerId {
        let mut next = queue.head;
        // SAFETY: what is in the queue is alive.
        while let Some(offer) = unsafe { next.as_ref() } {
            next = offer.next.get();
            let scheduler = Self::scheduler_of_plain(offer);
            if scheduler != SchedulerId::NONE {
                return scheduler;
            }
        }
        SchedulerId::NONE
    }

    /// Returns the scheduler of a plain reader, or none.
    fn scheduler_of_plain(offer: &Offer<T>) -> SchedulerId {
        // SAFETY: a waiter lives as long as its offers.
        let waiter = unsafe { offer.waiter.as_ref() };
        let context = waiter.whom().context();
        let plain = context.filter(|_| waiter.is_single() && !offer.extended);
        plain.map_or(SchedulerId::NONE, Context::scheduler)
    }

    /// Takes the plain readers of this scheduler out of a queue. They came before all others, except those of the queue.
    pub(crate) fn take_from(&mut self, queue: &mut Queue<T>, scheduler: SchedulerId) {
        let (mut next, mut stamp) = (queue.head, EARLIEST);
        // SAFETY: what is in the queue is alive.
        while let Some(offer) = unsafe { next.as_ref() } {
            next = offer.next.get();
            if Self::scheduler_of_plain(offer) == scheduler {
                queue.remove(offer);
                self.0.push_back((stamp, NonNull::from(offer)));
            } else {
                stamp = BEHIND;
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns when the reader came that waits longest.
    #[inline]
    pub(crate) fn first(&self) -> Option<Stamp> {
        self.0.front().map(|(stamp, _)| *stamp)
    }

    /// Commits the reader that waits longest.
    #[inline]
    pub(crate) fn commit_first(&mut self) -> Option<Partner<T>> {
        let (_, offer) = self.0.pop_front()?;
        Some(Self::commit(offer))
    }

    fn commit(offer: NonNull<Offer<T>>) -> Partner<T> {
        // SAFETY: what stands here is alive while the lock is held, its waiter as long.
        let (waiter, index) = unsafe { (offer.as_ref().waiter, offer.as_ref().index) };
        // SAFETY: as above. A single waiter is always there.
        let committed = unsafe { waiter.as_ref() }.commit(index);
        debug_assert!(committed, "only the lock decides about it");
        Partner { offer }
    }

    /// Takes out the reader with this context, and commits it. Returns also when it came.
    pub(crate) fn commit_of(&mut self, context: usize) -> Option<(Stamp, Partner<T>)> {
        let is_it = |(_, offer): &(Stamp, NonNull<Offer<T>>)| {
            // SAFETY: as in `commit`.
            let waiter = unsafe { offer.as_ref().waiter.as_ref() };
            waiter.whom().context().is_some_and(|of| ptr::from_ref(of).addr() == context)
        };
        let at = self.0.iter().position(is_it)?;
        let (stamp, offer) = self.0.remove(at)?;
        Some((stamp, Self::commit(offer)))
    }
}
