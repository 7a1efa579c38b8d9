//! The names of what OS processes share: nodes, channels, operations and ends on their way, and what is offered.

/// Names one OS process. The number is drawn at random, so that networks that meet later need not
/// have agreed on numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct NodeId(pub(crate) u64);

/// Names one read, write or alternation. The order is total and the same everywhere. Reservations
/// follow it upwards, so they cannot form a cycle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct OpId {
    pub(crate) node: NodeId,
    pub(crate) seq: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ChannelId {
    pub(crate) home: NodeId,
    pub(crate) index: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Direction {
    Read,
    Write,
}

/// One journey of one end from a node to another. A node that knows the name may end the journey, so
/// the name has a part that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TransitId {
    pub(crate) origin: NodeId,
    /// Counts the journeys from there.
    pub(crate) seq: u64,
    /// Drawn at random.
    pub(crate) key: u64,
}

/// Stands in a message for an end that is on its way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Token {
    pub(crate) channel: ChannelId,
    pub(crate) direction: Direction,
    pub(crate) transit: TransitId,
}

/// A value and the ends inside it. The protocol never looks into the body.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Parcel<V> {
    pub(crate) body: V,
    pub(crate) tokens: Vec<Token>,
    /// The place of the value in the order in which its channel gives values to readers. It is 0 before the value is given. A value
    /// that comes back keeps it.
    pub(crate) turn: u64,
}

impl<V> Parcel<V> {
    /// Makes the parcel of a value that no reader has been given.
    pub(crate) fn new(body: V, tokens: Vec<Token>) -> Self {
        Self { body, tokens, turn: 0 }
    }
}

/// A promise that was read, and whose value has not come yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TakenPromise {
    /// The channel from which it was read.
    pub(crate) from: ChannelId,
    /// The channel by which the value will come.
    pub(crate) late: ChannelId,
    /// The turn of the promise, which its value takes over.
    pub(crate) turn: u64,
}

/// One guard of an operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Offer<V> {
    /// `extended`: `Message::Finish` releases the writer, not the communication.
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

/// The reason why a channel has ended. `P` is the cause of a poisoning, which the protocol passes
/// on unread.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Ending<P> {
    Retired,
    Poisoned(P),
    /// A node died: the channel's home, or a node that held its ends.
    Lost(NodeId),
}
