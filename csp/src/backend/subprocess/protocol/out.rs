//! The effects of a call: messages to send, and operations that are over.

use std::collections::VecDeque;
use std::fmt;

use super::message::{Ending, Message, NodeId, OpId, Parcel};
use crate::report::termination::Fate;

/// The effects of a call. The caller sends and reports them in order, and reuses the space.
pub(crate) struct Out<V, P> {
    pub(super) me: NodeId,
    pub(super) local: VecDeque<Message<V, P>>,
    pub(crate) send: Vec<(NodeId, Message<V, P>)>,
    pub(crate) events: Vec<Event<V, P>>,
    /// Nodes that have broken the protocol, other than the one that is being heard.
    pub(crate) broken: Vec<(NodeId, Wild)>,
    /// Asked before a mixed operation is performed at a guard, or held (`None`): is its process
    /// still available? After a yes the process is reserved until the event.
    pub(crate) gate: Box<dyn FnMut(OpId, Option<u16>) -> bool + Send>,
    /// Asked when a mixed operation is let go that was held. Does it stand as before? Otherwise its process begins anew.
    pub(crate) stands_again: Box<dyn FnMut(OpId) -> bool + Send>,
    #[cfg(test)]
    pub(super) wild: bool,
}

/// How an operation of this node ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Event<V, P> {
    pub(crate) op: OpId,
    pub(crate) outcome: Outcome<V, P>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome<V, P> {
    /// The guard was performed. The ends in the value are registered for this node. Code that drops
    /// the value drops the ends.
    Done {
        guard: u16,
        parcel: Option<Parcel<V>>,
    },
    /// No guard can be performed any more, or one of them is poisoned. The fate is that of a value which
    /// it would have written.
    Ended {
        guard: u16,
        ending: Ending<P>,
        fate: Fate,
    },
    Withdrawn,
    /// A mixed operation was held and released. Its process looks itself for a chance that it has
    /// missed, and begins again.
    Released,
}

/// A node broke the protocol, so it is to be cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wild(pub(crate) &'static str);

impl fmt::Display for Wild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a peer broke the protocol: {}", self.0)
    }
}

impl<V, P> Out<V, P> {
    /// Returns whether a mixed operation of this node stands as before. If other homes have asked for it meanwhile, its process
    /// begins anew.
    pub(super) fn lets_stand<Q>(&mut self, node: NodeId, seq: u64, asking: &VecDeque<Q>) -> bool {
        asking.is_empty() && (self.stands_again)(OpId { node, seq })
    }

    pub(crate) fn new(me: NodeId) -> Self {
        Out {
            me,
            local: VecDeque::new(),
            send: Vec::new(),
            events: Vec::new(),
            broken: Vec::new(),
            gate: Box::new(|_, _| true),
            stands_again: Box::new(|_| false),
            #[cfg(test)]
            wild: false,
        }
    }

    pub(super) fn to(&mut self, node: NodeId, message: Message<V, P>) {
        if node == self.me {
            self.local.push_back(message);
        } else {
            self.send.push((node, message));
        }
    }
}

impl<V> Parcel<V> {
    /// Destroys a value that will not be read: the ends in it are dropped.
    pub(super) fn destroy<P>(self, out: &mut Out<V, P>) {
        for token in self.tokens {
            let message = Message::Drop { channel: token.channel.index, transit: token.transit };
            out.to(token.channel.home, message);
        }
    }
}
