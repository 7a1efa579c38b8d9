//! What nodes say to each other. A node is one OS process of a network, on whatever machine.
//! Every message is between the owner of an operation and a home of its channels, or between a holder of ends and
//! their home; so on a link the operation's number alone names it: the owner is one of the two who talk.
//! Ids are never used again.

use super::Few;

/// One OS process. Drawn at random, so that networks that meet later need not have agreed on numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NodeId(pub(crate) u64);

/// One read, write or alternation. The order is total, the same everywhere: reservations climb it, so they cannot cycle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct OpId {
    pub(crate) node: NodeId,
    pub(crate) seq: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ChannelId {
    pub(crate) home: NodeId,
    pub(crate) index: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// One journey of one end from a node to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct TransitId {
    pub(crate) origin: NodeId,
    pub(crate) seq: u64,
}

/// An end on its way: what stands for it in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Token {
    pub(crate) channel: ChannelId,
    pub(crate) direction: Direction,
    pub(crate) transit: TransitId,
}

/// A value and the ends inside it. The protocol never looks into the body.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Parcel<V> {
    pub(crate) body: V,
    pub(crate) tokens: Vec<Token>,
}

/// One guard of an operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Offer<V> {
    /// `extended`: the writer is let go by [`Message::Finish`], not by the communication.
    Read {
        channel: ChannelId,
        extended: bool,
    },
    Write {
        channel: ChannelId,
        parcel: Parcel<V>,
    },
    /// Fires when the channel retires.
    Retired {
        channel: ChannelId,
    },
}

impl<V> Offer<V> {
    pub(crate) fn channel(&self) -> ChannelId {
        match self {
            Offer::Read { channel, .. }
            | Offer::Write { channel, .. }
            | Offer::Retired { channel } => *channel,
        }
    }
}

/// Why a channel is no more. `P` is the cause of a poisoning, which the protocol passes on unread.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ending<P> {
    Retired,
    Poisoned(P),
    /// A node died: the channel's home, or one that held its ends.
    Lost(NodeId),
}

/// How a node ended: what becomes of the ends it still held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Departure {
    /// They retire: it ended well, or was told to leave quietly (`on_panic = retire`).
    Retires,
    /// Their channels end with [`Ending::Lost`].
    Poisons,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Message<V, P> {
    // Owner to home.
    /// All guards of one operation that stand at this home, in order of preference; they become visible together.
    /// `multi`: guards stand elsewhere too, so the owner decides and the home asks. Otherwise the home decides.
    Post {
        op: u64,
        multi: bool,
        guards: Few<(u16, Offer<V>)>,
    },
    /// Answers to `Claim`: done, the communication has happened.
    Take {
        op: u64,
    },
    /// Answers to `Claim` or `Reserve`: the operation is over; forget it.
    Refuse {
        op: u64,
    },
    /// Answers to `Reserve`: nothing else can complete it until `Commit` or `Release`.
    Held {
        op: u64,
    },
    /// Withdraws what stands here. Of an operation that the home decides: answered by `Withdrawn`, or by what came first.
    Cancel {
        op: u64,
    },
    /// Is there nothing to be had now? Answered by `Probed`, after whatever there was.
    Probe {
        op: u64,
    },
    /// The extended rendezvous of this read is over.
    Finish {
        op: u64,
    },

    // Home to owner.
    /// The guard has communicated. `channel` is where a value goes back to if its reader dies before it reads this.
    Done {
        op: u64,
        guard: u16,
        channel: u64,
        parcel: Option<Parcel<V>>,
    },
    /// The guard's channel has ended.
    Closed {
        op: u64,
        guard: u16,
        ending: Ending<P>,
    },
    Withdrawn {
        op: u64,
    },
    Probed {
        op: u64,
    },
    /// The guard can communicate: is the operation still open? `park`: once taken, it waits for `Done` all the same.
    Claim {
        op: u64,
        guard: u16,
        channel: u64,
        parcel: Option<Parcel<V>>,
        park: bool,
    },
    /// Two operations that are both decided elsewhere: the lower is held while the higher is asked.
    Reserve {
        op: u64,
    },
    Commit {
        op: u64,
        guard: u16,
        channel: u64,
        parcel: Option<Parcel<V>>,
        park: bool,
    },
    Release {
        op: u64,
    },

    // Holder of ends to home.
    /// `ends` that this node had registered are gone.
    Retire {
        channel: u64,
        direction: Direction,
        ends: u32,
    },
    Poison {
        channel: u64,
        cause: P,
    },
    /// An end sets out. It is counted from here on, beside the one it was made from; `via` has charge of it next.
    MoveOut {
        channel: u64,
        direction: Direction,
        transit: TransitId,
        via: NodeId,
    },
    /// It has arrived: it is counted for the node that says so.
    MoveIn {
        channel: u64,
        direction: Direction,
        transit: TransitId,
    },
    /// It was destroyed on the way.
    Drop {
        channel: u64,
        transit: TransitId,
    },
    /// A reading end has come back with a value that a dead reader had not taken.
    Returned {
        channel: u64,
    },

    // Between the home of an end in transit and the home of the channel that carries it.
    /// The journey is over; no need to remember it.
    Settled {
        transit: TransitId,
    },
    /// `dead` sent it out: did the value leave? Answered only if not.
    Ask {
        transit: TransitId,
        dead: NodeId,
    },
    /// It was lost with `dead`: not sent by it, or given to it and not heard of again.
    Gone {
        transit: TransitId,
        dead: NodeId,
    },
}
