//! Numbers that stand for no channel of this home, and the nodes that must not have some ends.

#[cfg(feature = "address")]
use std::collections::BTreeMap;

#[cfg(feature = "address")]
use super::super::NodeId;

/// The number of a channel that has always retired. It stands in place of void ends of this home that
/// come to this node.
pub(super) const VOID: u64 = u64::MAX;
/// The number of the channel that stands in place of those whose ends can't cross.
#[cfg(feature = "address")]
pub(super) const CROSSED: u64 = VOID - 1;

/// The nodes behind links that were made by an address.
#[cfg(feature = "address")]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::backend::subprocess::protocol) struct Crossing<P> {
    /// Each with the number of its operations that stand here, except those that it has withdrawn already.
    pub(in crate::backend::subprocess::protocol) peers: BTreeMap<NodeId, usize>,
    /// The poison of ends that can't cross.
    pub(super) told: Option<P>,
    /// The poison of an operation that would be one too many at a peer.
    pub(super) full: Option<P>,
}

#[cfg(feature = "address")]
impl<P> Default for Crossing<P> {
    fn default() -> Self {
        Self { peers: BTreeMap::new(), told: None, full: None }
    }
}

#[cfg(feature = "address")]
impl<P> Crossing<P> {
    /// Returns whether an end of a channel of `home` must not go from `me` to `to`.
    pub(super) fn is_foreign(&self, me: NodeId, home: NodeId, to: NodeId) -> bool {
        let is_one_of_both = home == to || (home == me && to != me);
        to != me
            && !is_one_of_both
            && (self.peers.contains_key(&home) || self.peers.contains_key(&to))
    }
}
