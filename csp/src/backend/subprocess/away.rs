//! What a channel's core knows of other OS processes: that its channel is shared with them, and what to do then. Where
//! this backend is not compiled in, `nowhere.rs` stands in.
//!
//! A channel is *away* once an end of it has left its OS process, and in all others from the beginning. Its queues, its
//! buffer and its counts are then with its home's node, and every process that uses it is the owner of an operation.
#![allow(unsafe_code)]

use std::time::Instant;

use super::bytes::Bytes;
use super::node::{Came, How, Node, Slot};
use super::protocol::{ChannelId, Direction, Few, NodeId, Offer, Parcel};
use crate::blocked::Blocked;
use crate::channel::core::{Core, Side};
use crate::park::Context;
use crate::sync::Arc;
use crate::termination::{Cause, Poison, Termination};
use crate::waiter::{Outcome, Waiter};

pub(crate) use super::node::{Received, is_linked, lead, poke, ring};

/// The state of a channel that is away.
pub(crate) struct Away<T>(Box<Inside<T>>);

struct Inside<T> {
    far: Far<T>,
    /// What the buffer held has gone where the channel is.
    ready: bool,
    /// How it has ended for readers and writers, as far as these were told.
    told: [Option<Termination>; 2],
    /// How it had ended before it was away: who was woken by that may come to ask only now.
    before: Option<Termination>,
}

/// How a channel that is away is reached.
pub(crate) struct Far<T> {
    node: &'static Node,
    channel: ChannelId,
    codec: Codec<T>,
}

/// How values of this type travel.
pub(crate) struct Codec<T> {
    pub(crate) encode: fn(&T, &'static Node, NodeId) -> Result<Parcel<Bytes>, String>,
    pub(crate) decode: fn(Received) -> Result<Opened<T>, String>,
}

/// What came out of a parcel.
pub(crate) enum Opened<T> {
    Value(T),
    /// A promise: the value is made only now, and will come by this channel.
    Late(Far<T>),
}

/// What ends an extended read.
pub(crate) struct Finish(Box<(&'static Node, u64, ChannelId)>);

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> Clone for Far<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Far<T> {}

impl From<Side> for Direction {
    fn from(side: Side) -> Self {
        match side {
            Side::Reader => Self::Read,
            Side::Writer => Self::Write,
        }
    }
}

impl Finish {
    pub(crate) fn release(&self) {
        let (node, op, channel) = *self.0;
        node.finish(op, channel);
    }
}

impl<T> Away<T> {
    pub(crate) fn new(far: Far<T>, ready: bool, before: Option<Termination>) -> Self {
        Self(Box::new(Inside { far, ready, told: [None, None], before }))
    }

    pub(crate) fn before(&self) -> Option<&Termination> {
        self.0.before.as_ref()
    }

    /// None: not yet.
    pub(crate) fn far(&self) -> Option<Far<T>> {
        self.0.ready.then_some(self.0.far)
    }

    pub(crate) fn is_ready(&mut self) {
        self.0.ready = true;
    }

    /// A side was told how the channel has ended for it.
    pub(crate) fn tell(&mut self, side: Side, termination: &Termination) {
        let told = &mut self.0.told[side as usize];
        told.get_or_insert_with(|| termination.clone());
    }

    pub(crate) fn told(&self, side: Side) -> Option<Termination> {
        self.0.told[side as usize].clone()
    }
}

/// A value that could not be taken apart, or not be put together again.
fn broken(context: &Context, reason: String) -> Termination {
    let poison = Poison::new(Cause::Serialization { process: context.path(), reason });
    Termination::Poisoned(poison)
}

impl<T> Far<T> {
    pub(crate) fn new(node: &'static Node, channel: ChannelId, codec: Codec<T>) -> Self {
        Self { node, channel, codec }
    }

    /// A channel of this OS process becomes one that others reach. `ends`: of which sides there are any; `handles`: whether.
    pub(crate) fn share(
        capacity: usize,
        ends: (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
        codec: Codec<T>,
    ) -> Self {
        let node = Node::here();
        Self { node, channel: node.share(capacity, ends, handles, ended), codec }
    }

    pub(crate) fn node(&self) -> &'static Node {
        self.node
    }

    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    fn encode(&self, value: &T) -> Result<Parcel<Bytes>, String> {
        (self.codec.encode)(value, self.node, self.channel.home)
    }

    /// A value that the channel held before it was away.
    pub(crate) fn preload(&self, value: &T) -> Result<(), String> {
        let parcel = self.encode(value)?;
        self.node.preload(self.channel, parcel);
        Ok(())
    }

    /// What was read by the operation `op`.
    fn open(
        &self,
        context: &Context,
        received: Option<Received>,
    ) -> Result<Opened<T>, Termination> {
        let received = received.ok_or_else(|| "a reader was given nothing".to_owned());
        received.and_then(self.codec.decode).map_err(|reason| broken(context, reason))
    }

    fn finish(&self, op: u64) -> Finish {
        Finish(Box::new((self.node, op, self.channel)))
    }

    /// Waits for a value; of an extended read, what ends it.
    pub(crate) fn read(
        &self,
        context: &'static Context,
        extended: bool,
        why: &dyn Blocked,
    ) -> Result<(Opened<T>, Option<Finish>), Termination> {
        let offer = Offer::Read { channel: self.channel, extended };
        match operate(self.node, context, offer, why)? {
            (op, Came::Done { parcel, .. }) => {
                let finish = extended.then(|| self.finish(op));
                let opened = self.open(context, parcel);
                if opened.is_err() {
                    finish.iter().for_each(Finish::release);
                }
                Ok((opened?, finish))
            }
            (_, Came::Ended { ending, .. }) => Err(self.node.termination(&ending)),
        }
    }

    /// Waits until the value is read, or has found room.
    pub(crate) fn write(
        &self,
        context: &'static Context,
        value: &T,
        why: &dyn Blocked,
    ) -> Result<(), Termination> {
        let parcel = self.encode(value).map_err(|reason| broken(context, reason))?;
        let offer = Offer::Write { channel: self.channel, parcel };
        match operate(self.node, context, offer, why)?.1 {
            Came::Done { .. } => Ok(()),
            Came::Ended { ending, .. } => Err(self.node.termination(&ending)),
        }
    }

    pub(crate) fn post_read(&self, extended: bool) -> Post {
        self.post(Offer::Read { channel: self.channel, extended })
    }

    pub(crate) fn post_write(&self, context: &Context, value: &T) -> Result<Post, Termination> {
        let parcel = self.encode(value).map_err(|reason| broken(context, reason))?;
        Ok(self.post(Offer::Write { channel: self.channel, parcel }))
    }

    /// A promise: the value will come by `late`.
    pub(crate) fn post_late(&self, late: &Arc<Core<T>>) -> Result<Post, Termination> {
        let parcel = super::carry::promise(late, self)?;
        Ok(self.post(Offer::Write { channel: self.channel, parcel }))
    }

    pub(crate) fn post_retired(&self) -> Post {
        self.post(Offer::Retired { channel: self.channel })
    }

    fn post(&self, offer: Offer<Bytes>) -> Post {
        Post { node: self.node, offer: Some(offer) }
    }

    /// What a guard that was chosen has read.
    pub(crate) fn came(
        &self,
        context: &Context,
        came: Done,
        extended: bool,
    ) -> Result<(Opened<T>, Option<Finish>), Termination> {
        let finish = extended.then(|| self.finish(came.op));
        let opened = self.open(context, came.received);
        if opened.is_err() {
            finish.iter().for_each(Finish::release);
        }
        Ok((opened?, finish))
    }

    pub(crate) fn codec(&self) -> Codec<T> {
        self.codec
    }

    pub(crate) fn add_end(&self, side: Side) {
        self.node.add_end(self.channel, side.into());
    }

    pub(crate) fn drop_end(&self, side: Side) {
        self.node.drop_end(self.channel, side.into());
    }

    pub(crate) fn drop_handle(&self) {
        self.node.drop_handle(self.channel);
    }

    pub(crate) fn poison(&self, termination: &Termination) {
        if let Termination::Poisoned(poison) = termination {
            self.node.poison(self.channel, poison);
        }
    }

    /// How the channel has ended, if its home is here.
    pub(crate) fn ending(&self, side: Side) -> Option<Termination> {
        self.node.ending(self.channel, side.into())
    }
}

/// One operation with one guard, for good or ill.
fn operate(
    node: &'static Node,
    context: &'static Context,
    offer: Offer<Bytes>,
    why: &dyn Blocked,
) -> Result<(u64, Came), Termination> {
    let waiter = Waiter::single(context);
    let slot = Slot::new();
    let leads = waiter.is_of_thread() && !node.is_home_of(offer.channel()) && node.choose();
    let how = if leads { How::Led } else { How::Alone };
    // SAFETY: both stay here until the operation is over.
    let begun = unsafe { node.begin(Few::one((0, offer)), &waiter, &slot, how) };
    if !begun.over {
        waiter.wait(why, None);
    }
    if leads {
        node.discharge();
    }
    // A single guard is done, or its channel has ended.
    slot.take().map(|came| (begun.op, came)).ok_or(Termination::Retired)
}

/// What a guard offers beyond this OS process. Dropped unused, the ends in it are dropped.
pub(crate) struct Post {
    node: &'static Node,
    offer: Option<Offer<Bytes>>,
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(Offer::Write { parcel, .. }) = self.offer.take() {
            for token in parcel.tokens {
                self.node.discard(token);
            }
        }
    }
}

/// A guard was performed beyond this OS process.
pub(crate) struct Done {
    op: u64,
    received: Option<Received>,
}

/// The part of an alternation that is beyond this OS process.
pub(crate) struct Beyond {
    offers: Vec<(u16, Offer<Bytes>)>,
    /// The guard of each offer.
    guards: Vec<usize>,
    node: &'static Node,
    slot: Slot,
    op: u64,
}

/// What became of that part.
pub(crate) enum Became {
    /// This guard was performed.
    Done(usize, Done),
    /// These guards can't be performed any more.
    Ended(Vec<usize>, Termination),
    Nothing,
}

/// From this number on a waiter is committed to an offer beyond.
const BEYOND: u32 = 1 << 16;

/// The number by which a waiter is committed to an offer of its node.
pub(super) fn number(offer: u16) -> u32 {
    BEYOND + u32::from(offer)
}

impl Drop for Beyond {
    fn drop(&mut self) {
        let node = self.node;
        self.offers.drain(..).for_each(|(_, offer)| drop(Post { node, offer: Some(offer) }));
    }
}

impl Beyond {
    /// Of so many guards at most.
    pub(crate) fn new(most: usize) -> Self {
        let (offers, guards) = (Vec::with_capacity(most), Vec::with_capacity(most));
        Self { offers, guards, node: Node::here(), slot: Slot::new(), op: 0 }
    }

    pub(crate) fn add(&mut self, guard: usize, mut post: Post) {
        if let Some(offer) = post.offer.take() {
            self.offers.push((self.guards.len() as u16, offer));
            self.guards.push(guard);
        }
    }

    pub(crate) fn has(&self, guard: usize) -> bool {
        self.guards.contains(&guard)
    }

    /// Of how many guards.
    pub(crate) fn len(&self) -> usize {
        self.guards.len()
    }

    fn offers(&mut self) -> Few<(u16, Offer<Bytes>)> {
        match self.offers.len() {
            1 => self.offers.pop().map_or_else(Few::new, Few::one),
            _ => std::mem::take(&mut self.offers).into(),
        }
    }

    /// Offers all of them together, and waits until one of them is performed, or the waiter was committed to another guard, or
    /// the deadline has come. `mixed`: there are other guards, at which it stands.
    pub(crate) fn wait(
        &mut self,
        waiter: &Waiter,
        mixed: bool,
        why: &dyn Blocked,
        deadline: Option<Instant>,
    ) -> Outcome {
        let how = if mixed { How::Mixed } else { How::Alone };
        let offers = self.offers();
        // SAFETY: both stay where they are until the operation is over or taken back, below; nothing unwinds in between.
        let begun = unsafe { self.node.begin(offers, waiter, &self.slot, how) };
        self.op = begun.op;
        let outcome = match waiter.decided().filter(|_| begun.over) {
            Some(outcome) => outcome,
            None if mixed => waiter.wait(why, deadline),
            None => waiter.wait_or(why, deadline, || self.node.withdraw(begun.op)),
        };
        if mixed {
            self.node.take_back(begun.op);
        }
        outcome
    }

    /// Asks what can be had now.
    pub(crate) fn ask(&mut self, context: &'static Context, why: &dyn Blocked) {
        let waiter = Waiter::single(context);
        let offers = self.offers();
        // SAFETY: as above.
        let begun = unsafe { self.node.begin(offers, &waiter, &self.slot, How::Poll) };
        self.op = begun.op;
        if !begun.over {
            waiter.wait(why, None);
        }
    }

    /// Whether the waiter was committed to one of these, and not to another guard.
    pub(crate) fn is_for(index: u32) -> bool {
        index >= BEYOND
    }

    pub(crate) fn became(&mut self) -> Became {
        match self.slot.take() {
            None => Became::Nothing,
            Some(Came::Done { guard, parcel }) => match self.guards.get(usize::from(guard)) {
                Some(guard) => Became::Done(*guard, Done { op: self.op, received: parcel }),
                None => Became::Nothing,
            },
            Some(Came::Ended { guard, ending }) => {
                let termination = self.node.termination(&ending);
                let guards = match (&termination, self.guards.get(usize::from(guard))) {
                    (Termination::Poisoned(_), Some(guard)) => vec![*guard],
                    _ => self.guards.clone(),
                };
                Became::Ended(guards, termination)
            }
        }
    }
}
