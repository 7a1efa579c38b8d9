//! Without addresses every end may go to every node.

use super::super::home::Home;
use super::super::{Ending, Few, Machine, NodeId, Offer, OpId, Out, Parcel, Wild};
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

    /// Judges nothing.
    #[inline]
    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "it has something with the feature"
    )]
    pub(super) fn may_stand(&self, _: NodeId) -> Result<(), Wild> {
        Ok(())
    }

    /// Counts nothing.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess::protocol) fn count_in(&mut self, _: OpId) {}

    /// Counts nothing.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess::protocol) fn count_out(&mut self, _: OpId) {}

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

impl<V: Clone, P: Clone> Machine<V, P> {
    /// Finds none.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess::protocol) fn begins_too_many(
        &mut self,
        _: &mut Few<(u16, Offer<V>)>,
        _: &mut Out<V, P>,
    ) -> Option<OpId> {
        None
    }
}
