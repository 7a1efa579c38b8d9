//! Numbers that stand for no channel of this home, and the nodes that must not have some ends.

#[cfg(feature = "address")]
use std::collections::BTreeSet;

use super::super::home::Home;
use super::super::{NodeId, Out, Parcel};

/// The number of a channel that has always retired. It stands in place of void ends of this home that
/// come to this node.
pub(super) const VOID: u64 = u64::MAX;
/// The number of the channel that stands in place of those whose ends can't cross.
#[cfg(feature = "address")]
pub(super) const CROSSED: u64 = VOID - 1;

impl<V: Clone, P: Clone> Home<V, P> {
    /// Hands a value of this channel over to a node, without the ends that the node must not have.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn hand_over(
        &mut self,
        to: NodeId,
        index: u64,
        parcel: &Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        self.counts.hand_over(self.id, to, index, parcel);
        self.keep_back(to, parcel, out);
    }
}

/// The nodes behind links that were made by an address.
#[cfg(feature = "address")]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::backend::subprocess::protocol) struct Crossing<P> {
    pub(super) peers: BTreeSet<NodeId>,
    /// The poison of ends that can't cross.
    pub(super) told: Option<P>,
}

#[cfg(feature = "address")]
impl<P> Default for Crossing<P> {
    fn default() -> Self {
        Self { peers: BTreeSet::new(), told: None }
    }
}

#[cfg(feature = "address")]
impl<P> Crossing<P> {
    /// Returns whether an end of a channel of `home` must not go from `me` to `to`.
    pub(super) fn is_foreign(&self, me: NodeId, home: NodeId, to: NodeId) -> bool {
        let is_one_of_both = home == to || (home == me && to != me);
        to != me && !is_one_of_both && (self.peers.contains(&home) || self.peers.contains(&to))
    }
}
