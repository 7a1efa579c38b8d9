//! The node, as the channels of its OS process see it.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Inner, LockedNode, Node, StandingOperation};
use crate::backend::subprocess::protocol::{
    ChannelId, Direction, Ending, Few, NodeId, Offer, OpId, Parcel, TakenPromise, Token,
};
use crate::channel::far::node::{Begun, How, Received, Remote, Slot};
use crate::channel::far::{Bytes, PROMISE};
use crate::commit::waiter::Waiter;
use crate::report::termination::{Poison, Termination};
use crate::wait::blocked::Dismissal;

impl Node {
    /// Withdraws an operation. The caller has seen that it stands.
    fn let_go(&'static self, inner: &mut LockedNode<'_>, op: u64) {
        let op = OpId { node: self.id, seq: op };
        let Inner { machine, out, .. } = &mut **inner;
        machine.withdraw(op, out);
        self.spread(inner, false);
    }
}

/// Channels, their ends, and operations.
impl Remote for Node {
    fn share(
        &'static self,
        capacity: usize,
        (readers, writers): (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
    ) -> ChannelId {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        let channel = machine.create(capacity);
        // Each side counts as one end here.
        if readers {
            machine.add_end(channel, Direction::Read);
        }
        if writers {
            machine.add_end(channel, Direction::Write);
        }
        // The channel may have ended already.
        match ended {
            None => {}
            Some(Termination::Retired) => machine.close(channel, Ending::Retired, out),
            Some(Termination::Poisoned(poison)) => {
                machine.close(channel, Ending::Poisoned(causes.encode(poison)), out);
            }
        }
        if !handles {
            machine.drop_handle(channel, out);
        }
        self.spread(&mut inner, false);
        channel
    }

    fn preload(&'static self, channel: ChannelId, parcel: Parcel<Bytes>) {
        self.with(|machine, out| machine.preload(channel, parcel, out));
    }

    fn put_back(&'static self, channel: ChannelId, parcel: Parcel<Bytes>) {
        self.with(|machine, out| machine.put_back(channel, parcel, out));
    }

    fn add_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, _| machine.add_end(channel, direction));
    }

    fn drop_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, out| machine.drop_end(channel, direction, out));
    }

    fn drop_handle(&'static self, channel: ChannelId) {
        self.with(|machine, out| machine.drop_handle(channel, out));
    }

    fn poison(&'static self, channel: ChannelId, poison: &Poison) {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        machine.poison(channel, causes.encode(poison), out);
        self.spread(&mut inner, false);
    }

    fn ending(&'static self, channel: ChannelId, direction: Direction) -> Option<Termination> {
        if channel.home != self.id {
            return None;
        }
        let mut inner = self.lock();
        let ending = inner.machine.ending(channel, direction)?;
        Some(inner.causes.termination(&ending))
    }

    fn termination(&'static self, ending: &Ending<Bytes>) -> Termination {
        self.lock().causes.termination(ending)
    }

    fn depart(&'static self, channel: ChannelId, direction: Direction, via: NodeId) -> Token {
        self.with(|machine, out| machine.depart(channel, direction, via, out))
    }

    #[cfg(feature = "address")]
    fn may_cross(&'static self, channel: ChannelId, via: NodeId) -> bool {
        self.lock().machine.may_cross(channel, via)
    }

    fn discard(&'static self, token: Token) {
        self.with(|machine, out| machine.discard(token, out));
    }

    fn promises(&'static self, channel: ChannelId) {
        self.lock().machine.promise(channel);
    }

    fn is_home_of(&self, channel: ChannelId) -> bool {
        channel.home == self.id
    }

    fn choose(&'static self) -> bool {
        self.choose_this_thread()
    }

    fn discharge(&'static self) {
        self.discharge_this_thread();
    }

    unsafe fn begin(
        &'static self,
        offers: Few<(u16, Offer<Bytes>)>,
        waiter: &Waiter,
        slot: &Slot,
        how: How,
    ) -> Begun {
        let lazy = waiter.is_alone();
        let mut inner = self.lock();
        // The process stands in the table before the machine can decide.
        let op = inner.machine.next();
        let pending = how == How::Pending;
        let mixed = pending || how == How::Mixed || how == How::MixedPoll;
        let (waiter, slot) = (NonNull::from(waiter), NonNull::from(slot));
        let standing = StandingOperation { waiter, slot, mixed, pending, dismissed: false };
        // SAFETY: under the lock.
        unsafe { inner.operations.insert(op.seq, standing) };
        (inner.own, inner.over) = (Some(op.seq), false);
        if how == How::Led {
            inner.led = Some(op.seq);
        }
        // The machine's part.
        let Inner { machine, out, .. } = &mut *inner;
        machine.begin(offers, mixed, out);
        if how == How::Poll || how == How::MixedPoll {
            machine.probe(op, out);
        }
        self.spread(&mut inner, lazy);
        // An operation that is over already has woken nobody.
        inner.own = None;
        let over = inner.over;
        drop(inner);
        if over {
            // It does not wait, and may not come back for long.
            self.ring_all();
        }
        Begun { op: op.seq, over }
    }

    fn withdraw(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.get(op) }.is_some() {
            self.let_go(&mut inner, op);
        }
    }

    fn take_back(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.remove(op) }.is_some() {
            self.let_go(&mut inner, op);
        }
    }

    fn while_standing(&'static self, op: u64, act: &mut dyn FnMut()) {
        let inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.get(op) }.is_some() {
            act();
        }
    }

    fn want_back(&'static self, op: u64) {
        let inner = self.lock();
        // SAFETY: under the lock.
        if let Some(standing) = unsafe { inner.operations.remove(op) } {
            // SAFETY: as above.
            unsafe {
                inner.operations.insert(op, StandingOperation { pending: false, ..standing })
            };
        }
    }

    fn leave(
        &'static self,
        op: u64,
        may: &dyn Fn() -> bool,
        promise: Option<TakenPromise>,
    ) -> bool {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        let leaves = unsafe { inner.operations.get(op) }.is_some() && may();
        if leaves {
            // SAFETY: as above. Nothing of the process is touched from here on.
            unsafe { inner.operations.remove(op) };
            if let Some(promise) = promise {
                inner.left.insert(op, (promise.late, Direction::Read));
            }
            let promise = promise.map(|promise| (promise, Bytes::copy(&[PROMISE])));
            let Inner { machine, out, .. } = &mut *inner;
            machine.abandon(OpId { node: self.id, seq: op }, promise, out);
            self.spread(&mut inner, false);
        }
        leaves
    }

    fn detach(&'static self, op: u64, channel: ChannelId) {
        let mut inner = self.lock();
        let Inner { machine, out, operations, left, .. } = &mut *inner;
        // SAFETY: under the lock. Nothing of the process is touched from here on.
        if unsafe { operations.remove(op) }.is_some() {
            left.insert(op, (channel, Direction::Write));
        } else {
            machine.drop_end(channel, Direction::Write, out);
            self.spread(&mut inner, false);
        }
    }

    fn return_value(&'static self, channel: ChannelId, mut value: Received) {
        let (body, tokens) = (value.body.clone(), std::mem::take(&mut value.tokens));
        let parcel = Parcel { body, tokens, turn: value.turn };
        self.with(|machine, out| machine.return_value(channel, parcel, out));
    }

    fn dismiss(
        &'static self,
        context: usize,
        last: bool,
        promise: Option<TakenPromise>,
    ) -> Dismissal {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        let Some((seq, standing)) = (unsafe { inner.operations.mark(context) }) else {
            return Dismissal::Nothing;
        };
        let StandingOperation { waiter, mixed, dismissed, .. } = standing;
        // The process takes a mixed operation back itself. Another OS process may just hold it.
        // SAFETY: it is in the table, so its process waits.
        let waiter = unsafe { waiter.as_ref() };
        if mixed && waiter.dismiss() {
            waiter.wake();
            return Dismissal::Done;
        }
        let op = OpId { node: self.id, seq };
        let Inner { machine, out, operations, .. } = &mut *inner;
        if last {
            // SAFETY: under the lock. Nothing of the process is touched from here on.
            unsafe { operations.remove(seq) };
            let promise = promise.map(|promise| (promise, Bytes::copy(&[PROMISE])));
            machine.abandon(op, promise, out);
        } else if !mixed && !dismissed {
            machine.withdraw(op, out);
        }
        self.spread(&mut inner, false);
        if mixed || dismissed { Dismissal::Expected } else { Dismissal::Asked }
    }

    fn give_back(&'static self, promise: TakenPromise) {
        self.with(|machine, out| machine.give_back(promise, Bytes::copy(&[PROMISE]), out));
    }

    fn finish(&'static self, op: u64, channel: ChannelId) {
        let op = OpId { node: self.id, seq: op };
        self.with(|machine, out| machine.finish(op, channel, out));
    }
}
