//! Without addresses every end may go to every node.

use super::super::home::Home;
use super::super::{Ending, NodeId, Out, Parcel};
use super::nowhere::VOID;

impl<V: Clone, P: Clone> Home<V, P> {
    /// Hands a value of this channel over to a node.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn hand_over(
        &mut self,
        to: NodeId,
        index: u64,
        parcel: &Parcel<V>,
        _: &mut Out<V, P>,
    ) {
        self.counts.hand_over(self.id, to, index, parcel);
    }

    /// Returns whether this number stands for no channel.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(super) fn is_nowhere(&self, channel: u64) -> bool {
        channel == VOID
    }

    /// Returns how a channel has ended that is not here.
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess::protocol) fn forgotten(&self, _: u64) -> Ending<P> {
        Ending::Retired
    }
}
