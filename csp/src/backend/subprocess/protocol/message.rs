//! The messages between nodes. A node is one OS process of a network, on whatever machine. The home
//! of a channel is its owning node: the node that made it. Every message goes between the owner of
//! an operation and a home of its channels, or between a holder of ends and their home. The owner
//! is therefore one of the two nodes of the link, so the operation's number alone names the
//! operation there. An id is never used a second time.

use serde::{Deserialize, Serialize};

use crate::channel::far::few::Few;
pub(crate) use crate::channel::far::names::{
    ChannelId, Direction, Ending, NodeId, Offer, OpId, Parcel, TakenPromise, Token, TransitId,
};

/// How a node ended, which decides about the ends it still held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Departure {
    /// They retire: the node ended well, or it was told to leave quietly (`on_panic = retire`).
    Retires,
    /// Their channels end with [`Ending::Lost`].
    Poisons,
}

impl Departure {
    pub(crate) fn of(retires: bool) -> Self {
        if retires { Departure::Retires } else { Departure::Poisons }
    }
}

/// A guard that can still be performed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Standing {
    pub(crate) home: NodeId,
    pub(crate) kind: Kind,
}

impl Standing {
    pub(super) fn of<V>(offer: &Offer<V>) -> Self {
        let kind = match offer {
            Offer::Read { .. } => Kind::Read,
            Offer::Write { .. } => Kind::Write,
            Offer::Retired { .. } => Kind::Retired,
        };
        Self { home: offer.channel().home, kind }
    }
}

/// The kind of a guard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    Read,
    Write,
    Retired,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Message<V, P> {
    // Owner to home.
    /// All guards of one operation that stand at this home, in order of preference. They become
    /// visible together. `multi`: guards stand elsewhere too, so the owner decides and the home
    /// asks. Otherwise the home decides.
    Post {
        op: u64,
        multi: bool,
        guards: Few<(u16, Offer<V>)>,
    },
    /// Answers `Claim`: yes, the communication has happened.
    Take {
        op: u64,
    },
    /// Answers `Claim` or `Reserve`: the operation is over, and the home forgets it.
    Refuse {
        op: u64,
    },
    /// Answers `Reserve`: nothing else can complete the operation until `Commit` or `Release`.
    Held {
        op: u64,
    },
    /// Withdraws the guards that stand here. If the home decides about the operation, it answers
    /// `Withdrawn`, or an earlier message was the answer.
    Cancel {
        op: u64,
    },
    /// Asks whether a guard can be performed now. `Probed` is the answer, after everything that
    /// could be performed.
    Probe {
        op: u64,
    },
    /// The extended rendezvous of this read is over.
    Finish {
        op: u64,
    },

    // Home to owner.
    /// The guard has communicated. The value goes back to `channel` if its reader dies before the
    /// reader handles this message.
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
    /// The guard can communicate: is the operation still open? `park`: after `Take`, the operation
    /// still waits for `Done`.
    Claim {
        op: u64,
        guard: u16,
        channel: u64,
        parcel: Option<Parcel<V>>,
        park: bool,
    },
    /// Opens the questions about two operations that are both decided elsewhere: the lower is held
    /// while the higher is asked.
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
    /// `ends` that this node had registered have been dropped.
    Retire {
        channel: u64,
        direction: Direction,
        ends: u32,
    },
    Poison {
        channel: u64,
        cause: P,
    },
    /// An end sets out. It is counted from here on, beside the end it was made from. `via` is the
    /// next node that has charge of it.
    MoveOut {
        channel: u64,
        direction: Direction,
        transit: TransitId,
        via: NodeId,
    },
    /// The end has arrived, and is counted for the sender of this message.
    MoveIn {
        channel: u64,
        direction: Direction,
        transit: TransitId,
    },
    /// The end was destroyed on the way.
    Drop {
        channel: u64,
        transit: TransitId,
    },
    /// All processes of this node have ended, so its offers and ends are given up. Its own home
    /// goes on, and the node still answers.
    Leaves,
    /// This value was given to a process that never goes on, or whose thread has ended. Nobody has
    /// read it. A promise was read, and nobody awaits its value any more.
    Back {
        channel: u64,
        parcel: Parcel<V>,
    },
    /// A reading end has come back, inside a value that a dead reader had not taken.
    Returned {
        channel: u64,
        transit: TransitId,
    },

    // Between the home of an end in transit and the home of the channel that carries it.
    /// The journey is over and need not be remembered.
    Settled {
        transit: TransitId,
    },
    /// `dead` sent the end out: did the value leave? Only the answer "no" is sent.
    Ask {
        transit: TransitId,
        dead: NodeId,
    },
    /// The end was lost with `dead`: `dead` never sent it, or received it and nothing was heard of
    /// it again.
    Gone {
        transit: TransitId,
        dead: NodeId,
    },
}
