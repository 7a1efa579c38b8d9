//! Without addresses every end may go to every node.

use super::super::home::Home;
use super::super::{Ending, NodeId, Out, Parcel};
use super::nowhere::VOID;

impl<V: Clone, P: Clone> Home<V, P> {
    /// Keeps no end back.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess::protocol) fn keep_back(
        &mut self,
        _: NodeId,
        _: &Parcel<V>,
        _: &mut Out<V, P>,
    ) {
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
