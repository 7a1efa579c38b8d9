//! The death of a node, at its machine and at its home.

use std::collections::BTreeSet;

use super::super::home::Home;
use super::super::{ChannelId, Departure, Machine, Message, NodeId, Out, Wild};
use super::waiting::Ahead;

#[cfg(test)]
use super::super::proof::faults::Fault;

impl<V: Clone, P: Clone> Machine<V, P> {
    /// Handles the death of a node, after all messages that it sent. `unread`: the messages that it
    /// had not read, oldest first. `retired`: its last words. Every node of a network is told of
    /// every death, whether it knew the dead node or not. The error: some of the unread messages
    /// were never sent. They have no effect.
    pub(crate) fn lost(
        &mut self,
        node: NodeId,
        departure: Departure,
        retired: &[u64],
        unread: Vec<Message<V, P>>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        self.dies(node, departure, retired, unread, true, out)
    }

    /// Concludes that a node is dead, because nobody knows the way there.
    pub(crate) fn unreached(
        &mut self,
        node: NodeId,
        departure: Departure,
        unread: Vec<Message<V, P>>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        self.dies(node, departure, &[], unread, false, out)
    }

    fn dies(
        &mut self,
        node: NodeId,
        departure: Departure,
        retired: &[u64],
        unread: Vec<Message<V, P>>,
        is_told: bool,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if self.is_dead(node) {
            return Ok(());
        }
        let mut forged = Ok(());
        if !self.home.waiting.is_empty() {
            self.hear_dying(node, out);
        }
        for index in retired {
            self.retired.insert(ChannelId { home: node, index: *index }, ());
        }
        if !retired.is_empty() {
            let had_retired = |channel| self.retired.contains(&channel);
            for message in &unread {
                forged = forged.and(self.owner.unheard(node, message, had_retired, out));
            }
        }
        forged = forged.and(self.home.lost(node, departure, unread, is_told, out));
        self.settle(out);
        self.owner.lost(node, out);
        self.settle(out);
        if !self.home.waiting.is_empty() {
            self.release(out);
        }
        forged
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    pub(super) fn lost(
        &mut self,
        node: NodeId,
        departure: Departure,
        unread: Vec<Message<V, P>>,
        is_told: bool,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        self.dead.insert(node, departure, is_told);
        let mut forged = Ok(());
        // The value that was given last goes back first, so the value that was given first ends up
        // in front.
        let mut stirred = BTreeSet::new();
        for message in unread.into_iter().rev() {
            #[cfg(test)]
            if self.fault == Fault::LosesUnread {
                break;
            }
            if let Message::Done { channel, parcel: Some(parcel), .. }
            | Message::Commit { channel, parcel: Some(parcel), .. } = message
            {
                if let Err(wild) = self.may_give_back(node, channel, &parcel) {
                    forged = Err(wild);
                    continue;
                }
                self.counts.gives_back(channel, node);
                self.put_back(channel, parcel, out);
                stirred.insert(channel);
            }
        }
        // The offers, pairs and extended reads of the dead node.
        self.drop_offers(node, out);
        self.refuse_for(node, out);
        self.finish_all(node, out);
        for index in stirred {
            self.stir(index, out);
        }
        // The ends that it held, and the ends on their way to or from it.
        self.drop_rows(node, departure == Departure::Poisons, out);
        for (_, rows) in self.counts.channels.each_mut() {
            rows.given.remove(&node);
        }
        self.drop_transits(node, out);
        self.counts.charge.retain(|_, charge| charge.home != node);
        self.counts.early.retain(|transit| transit.origin != node);
        self.counts.seen.remove(&node);
        // The statements about it that had come early.
        for ahead in self.counts.ahead.take(node) {
            match ahead {
                Ahead::Ask { from, transit } => self.asked(from, transit, node, out),
                Ahead::Gone { from, transit } => self.gone(from, transit, node, out),
            }
        }
        forged
    }
}
