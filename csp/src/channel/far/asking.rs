//! An operation beyond this OS process that a future awaits.
//!
//! Invariants:
//! - It stands pinned: the node has its waiter and its slot until it is over, or was left.
//! - Its owner calls [`leave`](Asking::leave) before it drops it, if it stands.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::task::Waker;

use super::bytes::Bytes;
use super::few::Few;
use super::names::{ChannelId, Offer, TakenPromise};
use super::node::{Came, How, Remote, Slot};
use crate::commit::awaited::AwaitedMany;
use crate::commit::waiter::{Outcome, Waiter};
use crate::wait::blocked::Blocked;

/// An operation that its node has, with the place for its outcome.
pub(crate) struct Asking {
    node: &'static dyn Remote,
    waiter: AwaitedMany,
    slot: Slot,
    op: Cell<u64>,
    how: Cell<How>,
    /// The call that has begun it has decided it, and nobody wakes its waiter.
    over: Cell<bool>,
    /// Its home has been asked to let it go.
    withdraws: Cell<bool>,
}

impl Asking {
    pub(crate) fn new(node: &'static dyn Remote) -> Self {
        Self {
            node,
            waiter: AwaitedMany::new(),
            slot: Slot::new(),
            op: Cell::new(0),
            how: Cell::new(How::Alone),
            over: Cell::new(false),
            withdraws: Cell::new(false),
        }
    }

    pub(crate) fn stands(&self) -> bool {
        self.waiter.is_made()
    }

    /// Returns whether its node holds it until another partner has answered.
    pub(crate) fn is_held(&self) -> bool {
        self.waiter.is_held()
    }

    /// Returns the number of the operation that was begun last.
    pub(crate) fn op(&self) -> u64 {
        self.op.get()
    }

    fn is_mixed(&self) -> bool {
        matches!(self.how.get(), How::Mixed | How::MixedPoll | How::Pending)
    }

    /// Makes the waiter, for so many offers. Without a waker it is for nobody yet. If it is strange it is polled once more.
    ///
    /// # Safety
    /// It does not stand. It and `why` are pinned, and it is left before either is dropped.
    pub(crate) unsafe fn make(
        &self,
        waker: Option<&Waker>,
        live: u32,
        why: &dyn Blocked,
    ) -> &Waiter {
        // SAFETY: the caller's promise.
        unsafe {
            match waker {
                Some(waker) => self.waiter.make(waker, live, why),
                None => self.waiter.make_strange(live, why),
            }
        }
    }

    /// Begins the operation. Its waiter was [made](Self::make) for that.
    pub(crate) fn begin(&self, waiter: &Waiter, offers: Few<(u16, Offer<Bytes>)>, how: How) {
        self.how.set(how);
        self.withdraws.set(false);
        // SAFETY: both stay where they are until it is over or left, by the promise given to `make`.
        let begun = unsafe { self.node.begin(offers, waiter, &self.slot, how) };
        self.op.set(begun.op);
        self.over.set(begun.over);
    }

    /// Returns its outcome, or `None` if there is none yet. One whose time has `come` withdraws. A mixed one does that at once, and
    /// another waits for the answer of its home. Once there is an outcome, [`conclude`](Self::conclude) follows.
    pub(crate) fn poll(&self, waker: &Waker, why: &dyn Blocked, come: bool) -> Option<Outcome> {
        if self.over.get() {
            return self.waiter.decided();
        }
        let while_standing = |act: &mut dyn FnMut()| self.node.while_standing(self.op.get(), act);
        let (mixed, standing) = (self.is_mixed(), while_standing);
        let outcome = self.waiter.poll_beyond(waker, why, (mixed, come), standing);
        if outcome.is_none() && come && !mixed && !self.withdraws.replace(true) {
            self.node.withdraw(self.op.get());
            // The home may be here, and have answered.
            return self.waiter.poll_beyond(waker, why, (mixed, come), while_standing);
        }
        outcome
    }

    /// Has its process woken by whatever becomes of it, because the process takes it back.
    pub(crate) fn want_back(&self) {
        self.node.want_back(self.op.get());
    }

    /// Ends its waiting, because nobody awaits it any more. Returns `None` if its node abandons it. If it awaits the value of a
    /// `promise`, that goes back then. [`conclude`](Self::conclude) follows.
    pub(crate) fn leave(&self, promise: Option<TakenPromise>) -> Option<Outcome> {
        let leave = |may: &dyn Fn() -> bool| self.node.leave(self.op.get(), may, promise);
        match self.over.get() {
            true => self.waiter.decided(),
            false => self.waiter.leave_beyond(self.is_mixed(), leave),
        }
    }

    /// Says that it stands no longer, and returns what has come. Its offers in queues of this OS process have been withdrawn.
    pub(crate) fn conclude(&self, why: &dyn Blocked) -> Option<Came> {
        // The lock is taken also if the node has told of it: see there.
        self.node.take_back(self.op.get());
        self.waiter.clear(why);
        self.slot.take()
    }

    /// Goes away from a write whose value is to be written all the same. The node keeps a writing end of its channel until then. That
    /// end has been counted.
    pub(crate) fn detach(&self, channel: ChannelId) {
        self.node.detach(self.op.get(), channel);
    }
}
