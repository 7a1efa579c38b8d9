//! The node of this OS process, as its channels see it: it decides about channels that are shared with other OS processes.

use super::bytes::Bytes;
use super::few::Few;
use super::names::{ChannelId, Direction, Ending, NodeId, Offer, Parcel, TakenPromise, Token};
use crate::commit::waiter::Waiter;
use crate::report::termination::{Fate, Poison, Termination};
use crate::sync::Cell;
use crate::wait::blocked::Dismissal;

/// The node of an OS process, to its channels.
pub(crate) trait Remote: Sync {
    /// Makes a channel of this OS process one that other nodes can reach. The pair tells which
    /// sides have ends, `handles` whether there are handles.
    fn share(
        &'static self,
        capacity: usize,
        ends: (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
    ) -> ChannelId;

    /// Adds a value that the channel held before it was shared.
    fn preload(&'static self, channel: ChannelId, parcel: Parcel<Bytes>);

    /// Gives back a value that a reader was given before the channel was shared, and has not taken. The home of the channel is here.
    /// The first of several such values that is given back comes first.
    fn put_back(&'static self, channel: ChannelId, parcel: Parcel<Bytes>);

    fn add_end(&'static self, channel: ChannelId, direction: Direction);

    fn drop_end(&'static self, channel: ChannelId, direction: Direction);

    fn drop_handle(&'static self, channel: ChannelId);

    fn poison(&'static self, channel: ChannelId, poison: &Poison);

    /// Returns how a channel has ended, as far as is known here without a message.
    fn ending(&'static self, channel: ChannelId, direction: Direction) -> Option<Termination>;

    /// Returns an ending as a process sees it.
    fn termination(&'static self, ending: &Ending<Bytes>) -> Termination;

    /// Lets an end set out. `via` is the next node that has charge of it.
    fn depart(&'static self, channel: ChannelId, direction: Direction, via: NodeId) -> Token;

    /// Returns whether an end may set out to `via`. An end crosses one link that an address has made.
    #[cfg(feature = "address")]
    fn may_cross(&'static self, channel: ChannelId, via: NodeId) -> bool;

    /// Drops an end that was to set out, and does not.
    fn discard(&'static self, token: Token);

    /// Declares that this channel is for a value that has been committed already.
    fn promises(&'static self, channel: ChannelId);

    /// Returns whether this node is the channel's home (its owning node).
    fn is_home_of(&self, channel: ChannelId) -> bool;

    /// Makes this thread the leader from now on, unless another leads. It is about to wait for
    /// something that only comes from elsewhere, as long as that takes.
    /// [`discharge`](Self::discharge) follows.
    fn choose(&'static self) -> bool;

    /// Ends the leadership of a chosen thread that has waited, or did not have to.
    fn discharge(&'static self);

    /// Begins a read, write or alternation for a process. The process then waits, or withdraws the
    /// operation.
    ///
    /// # Safety
    /// Waiter and slot stay where they are until the operation is over or was [taken
    /// back](Self::take_back).
    unsafe fn begin(
        &'static self,
        offers: Few<(u16, Offer<Bytes>)>,
        waiter: &Waiter,
        slot: &Slot,
        how: How,
    ) -> Begun;

    /// Withdraws an operation. Its process will be woken, unless it has been woken already.
    fn withdraw(&'static self, op: u64);

    /// Withdraws a mixed operation whose process goes on, perhaps because it was served elsewhere.
    /// After the return no thread touches the process's stack. The lock is always taken, because a
    /// thread that is just telling the process something holds it.
    fn take_back(&'static self, op: u64);

    /// Calls `act` under the node's lock if the operation still stands here.
    fn while_standing(&'static self, op: u64, act: &mut dyn FnMut());

    /// Has the process of a [pending](How::Pending) operation woken also if the operation is only let go, because the process
    /// wants it back.
    fn want_back(&'static self, op: u64);

    /// Abandons an operation if it still stands here and `may` says so, because nobody awaits it any more. `may` is called under
    /// the node's lock. Returns whether it is abandoned. A value that is given to it goes back to its channel. If it awaits the
    /// value of a `promise`, that goes back to where it was read. After the return no thread touches its waiter and its slot.
    fn leave(&'static self, op: u64, may: &dyn Fn() -> bool, promise: Option<TakenPromise>)
    -> bool;

    /// Goes on with a write that nobody awaits any more, until it is over. Then a writing end of the channel is dropped. After the
    /// return no thread touches its waiter and its slot.
    fn detach(&'static self, op: u64, channel: ChannelId);

    /// Gives a value that was read from the channel, and that nobody awaits any more, to the next reader there. If the home of the
    /// channel is dead, the value goes with the channel.
    fn return_value(&'static self, channel: ChannelId, value: Received);

    /// Takes back the operation in which the process of this context waits, because its thread ends. `last` says that the
    /// process never goes on. Then a value that it has been given goes back to its channel. If it awaits the value of a
    /// `promise`, that goes back to where it was read.
    fn dismiss(
        &'static self,
        context: usize,
        last: bool,
        promise: Option<TakenPromise>,
    ) -> Dismissal;

    /// Gives a promise back to the channel from which it was read.
    fn give_back(&'static self, promise: TakenPromise);

    /// Ends an extended read.
    fn finish(&'static self, op: u64, channel: ChannelId);
}

/// Where the outcome of an operation is put, on the stack of the process that waits for it.
pub(crate) struct Slot(Cell<Option<Came>>);

/// The outcome of an operation.
pub(crate) enum Came {
    /// The guard with this number among the offered guards was performed.
    Done { guard: u16, parcel: Option<Received> },
    /// The fate is that of a value which it would have written.
    Ended { guard: u16, ending: Ending<Bytes>, fate: Fate },
}

/// A value that has come, and the ends in it. Dropping it drops the ends.
pub(crate) struct Received {
    pub(crate) node: &'static dyn Remote,
    pub(crate) body: Bytes,
    pub(crate) tokens: Vec<Token>,
    pub(crate) turn: u64,
}

impl Drop for Received {
    fn drop(&mut self) {
        for token in self.tokens.drain(..) {
            self.node.drop_end(token.channel, token.direction);
        }
    }
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self(Cell::new(None))
    }

    pub(crate) fn put(&self, came: Came) {
        self.0.set(Some(came));
    }

    pub(crate) fn take(&self) -> Option<Came> {
        self.0.take()
    }
}

/// An operation that was begun.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) op: u64,
    /// It is over already, so its process will not be woken.
    pub(crate) over: bool,
}

/// How an operation is begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Alone,
    /// Its thread has been [chosen](Remote::choose) to lead, and does so until the operation is over.
    Led,
    /// The process has other guards too.
    Mixed,
    /// The process may take it back at any time, as if it had other guards. It has none, so it stands on when a home lets it go.
    Pending,
    /// Only a guard that is ready now may be performed.
    Poll,
    MixedPoll,
}
