//! Floor 4. A channel's view of other OS processes. The channel may be shared with them, and its operations then go to the node of this
//! OS process.
//!
//! A channel is *away* once an end of it has left its OS process, and in all others from the beginning. Its queues, its
//! buffer and its counts are then with its home's node, and every process that uses it is the owner of an operation.
//!
//! The code is compiled always. It asks the node of this OS process by the trait [`Remote`], so it knows no backend. If no
//! backend has OS processes, there is no [`Possible`]. Then no channel is ever away, and the compiler leaves out the branches.
#![allow(unsafe_code)]

mod asking;
mod bytes;
pub(crate) mod few;
pub(crate) mod names;
pub(crate) mod node;
pub(crate) mod operation;

use self::few::Few;
use self::names::{ChannelId, Direction, Ending, NodeId, Offer, Parcel, TakenPromise};
use self::node::{Came, How};
use self::operation::operate;
use crate::commit::waiter::Waiter;
use crate::report::termination::{Cause, Fate, Poison, Termination, Unwritten};
use crate::wait::blocked::{Blocked, Dismissal, Side};
use crate::wait::park::{self, Context};

pub(crate) use self::asking::Asking;
pub(crate) use self::bytes::Bytes;
pub(crate) use self::node::{Received, Remote};
pub(crate) use self::operation::{AskedBeyond, Became, Beyond, Done, Post};
pub(crate) use crate::system::possible::{Doubt, Kept, Possible};

/// A parcel that promises a value begins with this.
pub(crate) const PROMISE: u8 = 1;

/// A parcel of a value that could not be packed, and that no writer waits for, begins with this. The reason follows.
pub(crate) const BROKEN: u8 = 3;

/// The state of a channel that is away.
pub(crate) struct Away<T>(Kept<Inside<T>>);

struct Inside<T> {
    far: Far<T>,
    /// The values of the buffer have gone to the home of the channel.
    ready: bool,
    /// How it has ended for readers and writers, as far as these were told.
    told: [Option<Termination>; 2],
    /// How it had ended before it was away. A process that was woken by that may come to ask only now.
    before: Option<Termination>,
}

/// How a channel that is away is reached.
pub(crate) struct Far<T> {
    node: &'static dyn Remote,
    channel: ChannelId,
    codec: Codec<T>,
    /// The channel from which the promise was read, if this one is for a promised value.
    promised_by: Option<ChannelId>,
    /// The turn of that promise.
    turn: u64,
    possible: Possible,
}

/// Takes a value apart, for the node that has charge of it next.
pub(crate) type Encode<T> = fn(&T, &'static dyn Remote, NodeId) -> Result<Parcel<Bytes>, String>;

/// How values of this type travel.
pub(crate) struct Codec<T> {
    encode: Encode<T>,
    decode: fn(Received) -> Result<Opened<T>, String>,
    possible: Possible,
}

/// The contents of a parcel.
pub(crate) enum Opened<T> {
    Value(T),
    /// A promise. The value is made only now, and will come by this channel.
    Late(Far<T>),
}

/// The token that ends an extended read.
pub(crate) struct Finish(Kept<(&'static dyn Remote, u64, ChannelId)>);

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

impl<T> Codec<T> {
    pub(crate) fn new(
        encode: Encode<T>,
        decode: fn(Received) -> Result<Opened<T>, String>,
        possible: Possible,
    ) -> Self {
        Self { encode, decode, possible }
    }
}

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
        let possible = far.possible;
        Self(Kept::new(Inside { far, ready, told: [None, None], before }, possible))
    }

    pub(crate) fn before(&self) -> Option<&Termination> {
        self.0.before.as_ref()
    }

    /// Returns how the channel is reached, or `None` if it is not ready yet.
    pub(crate) fn far(&self) -> Option<Far<T>> {
        self.0.ready.then_some(self.0.far)
    }

    /// Returns how the channel is reached, also while the values of its buffer are being packed.
    pub(crate) fn way(&self) -> Far<T> {
        self.0.far
    }

    pub(crate) fn is_ready(&mut self) {
        self.0.ready = true;
    }

    /// Takes back the operation of a process whose thread ends. See [`Object::dismiss`](crate::wait::blocked::Object::dismiss).
    pub(crate) fn dismiss(this: &Option<Self>, context: usize, last: bool) -> Dismissal {
        match this.as_ref().and_then(Self::far) {
            None => Dismissal::Nothing,
            Some(far) => far.node.dismiss(context, last, far.taken_promise()),
        }
    }

    /// Notes that a side was told how the channel has ended for it.
    pub(crate) fn tell(&mut self, side: Side, termination: &Termination) {
        let told = &mut self.0.told[side as usize];
        told.get_or_insert_with(|| termination.clone());
    }

    pub(crate) fn told(&self, side: Side) -> Option<Termination> {
        self.0.told[side as usize].clone()
    }
}

/// Returns the poison for a value that could not be packed or unpacked.
pub(crate) fn broken(context: &Context, reason: String) -> Termination {
    let poison = Poison::new(Cause::Serialization { process: context.path(), reason });
    Termination::Poisoned(poison)
}

impl<T> Far<T> {
    pub(crate) fn new(node: &'static dyn Remote, channel: ChannelId, codec: Codec<T>) -> Self {
        Self { node, channel, codec, promised_by: None, turn: 0, possible: codec.possible }
    }

    /// Makes it the way to the channel of a promise that was given in this turn.
    pub(crate) fn in_turn(self, turn: u64) -> Self {
        Self { turn, ..self }
    }

    /// Makes it the way to a channel for one value, which was promised to a reader of the channel `from`.
    pub(crate) fn promised_by(self, from: &Self) -> Self {
        Self { promised_by: Some(from.channel), ..self }
    }

    pub(crate) fn taken_promise(&self) -> Option<TakenPromise> {
        let (late, turn) = (self.channel, self.turn);
        self.promised_by.map(|from| TakenPromise { from, late, turn })
    }

    /// Gives the promise back to the channel from which it was read.
    pub(crate) fn give_back(&self) {
        if let Some(promise) = self.taken_promise() {
            self.node.give_back(promise);
        }
    }

    /// Makes a channel of this OS process one that others reach. `ends` says which sides have any, and `handles` whether there are
    /// handles.
    pub(crate) fn share(
        node: &'static dyn Remote,
        capacity: usize,
        ends: (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
        codec: Codec<T>,
    ) -> Self {
        Self::new(node, node.share(capacity, ends, handles, ended), codec)
    }

    pub(crate) fn node(&self) -> &'static dyn Remote {
        self.node
    }

    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    fn encode(&self, value: &T) -> Result<Parcel<Bytes>, String> {
        (self.codec.encode)(value, self.node, self.channel.home)
    }

    /// Sends a value that the channel held before it was away.
    pub(crate) fn preload(&self, value: &T) -> Result<(), String> {
        let parcel = self.encode(value)?;
        self.node.preload(self.channel, parcel);
        Ok(())
    }

    /// Gives back a value that a reader was given before the channel was away, and has not taken. The next reader gets it. If the value
    /// can't be packed, that reader is told so.
    pub(crate) fn put_back(&self, value: &T) {
        let parcel = self.encode(value).unwrap_or_else(|reason| {
            let body = [&[BROKEN], reason.as_bytes()].concat();
            Parcel::new(Bytes::from(body), Vec::new())
        });
        self.node.put_back(self.channel, parcel);
    }

    /// Returns the value that the operation `op` has read.
    fn open(
        &self,
        context: &Context,
        received: Option<Received>,
    ) -> Result<Opened<T>, Termination> {
        let received = received.ok_or_else(|| "a reader was given nothing".to_owned());
        received.and_then(self.codec.decode).map_err(|reason| broken(context, reason))
    }

    fn finish(&self, op: u64) -> Finish {
        Finish(Kept::new((self.node, op, self.channel), self.possible))
    }

    /// Waits for a value. An extended read gets the token that ends it, too.
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
    ) -> Result<(), Unwritten> {
        let parcel = self.encode(value).map_err(|reason| broken(context, reason))?;
        let offer = Offer::Write { channel: self.channel, parcel };
        match operate(self.node, context, offer, why)?.1 {
            Came::Done { .. } => Ok(()),
            Came::Ended { ending, fate, .. } => Err(self.unwritten(&ending, fate)),
        }
    }

    /// Returns how a write has failed.
    pub(crate) fn unwritten(&self, ending: &Ending<Bytes>, fate: Fate) -> Unwritten {
        let doubt = (fate == Fate::Unknown).then(|| Doubt::new(self.possible));
        Unwritten { termination: self.node.termination(ending), doubt }
    }

    /// Keeps something that only a channel that is away needs.
    pub(crate) fn keep<K>(&self, thing: K) -> Kept<K> {
        Kept::new(thing, self.possible)
    }

    /// Begins a read that a future awaits. The waiter was made by `asking`.
    pub(crate) fn ask_to_read(&self, asking: &Asking, waiter: &Waiter, extended: bool) {
        let offer = Offer::Read { channel: self.channel, extended };
        asking.begin(waiter, Few::one((0, offer)), How::Alone);
    }

    /// Returns the offer of a write that a future awaits.
    pub(crate) fn offer_to_write(&self, value: &T) -> Result<Offer<Bytes>, Termination> {
        let parcel = self.encode(value).map_err(|reason| broken(park::current(), reason))?;
        Ok(Offer::Write { channel: self.channel, parcel })
    }

    /// Gives a value that nobody awaits any more to the next reader.
    pub(crate) fn return_value(&self, received: Received) {
        self.node.return_value(self.channel, received);
    }

    /// Gives back what a guard has read, which was chosen, and that nobody awaits any more.
    pub(crate) fn undo_read(&self, done: Done, extended: bool) {
        if let Some(received) = done.received {
            self.return_value(received);
        }
        if extended {
            self.release(done.op);
        }
    }

    /// Ends the extended read `op` of a value that nobody awaits any more.
    pub(crate) fn release(&self, op: u64) {
        self.node.finish(op, self.channel);
    }

    pub(crate) fn post_read(&self, extended: bool) -> Post {
        self.post(Offer::Read { channel: self.channel, extended })
    }

    pub(crate) fn post_write(&self, context: &Context, value: &T) -> Result<Post, Termination> {
        let parcel = self.encode(value).map_err(|reason| broken(context, reason))?;
        Ok(self.post(Offer::Write { channel: self.channel, parcel }))
    }

    /// Returns the offer of a promise. The value will come by the channel `late`.
    pub(crate) fn post_promise(&self, late: &Self) -> Post {
        self.node.promises(late.channel);
        let token = self.node.depart(late.channel, Direction::Read, self.channel.home);
        let parcel = Parcel::new(Bytes::copy(&[PROMISE]), vec![token]);
        self.post(Offer::Write { channel: self.channel, parcel })
    }

    pub(crate) fn post_retired(&self) -> Post {
        self.post(Offer::Retired { channel: self.channel })
    }

    fn post(&self, offer: Offer<Bytes>) -> Post {
        Post::new(self.node, offer, self.possible)
    }

    /// Returns the value that a guard has read, which was chosen.
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

    /// Returns how the channel has ended, if its home is here.
    pub(crate) fn ending(&self, side: Side) -> Option<Termination> {
        self.node.ending(self.channel, side.into())
    }
}
