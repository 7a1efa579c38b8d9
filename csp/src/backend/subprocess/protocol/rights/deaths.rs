//! The death of a node, at a machine, its home and its operations.

use std::collections::BTreeSet;

use super::super::home::Home;
use super::super::owner::{Op, OpState, Owner};
use super::super::{
    ChannelId, Departure, Ending, Kind, Machine, Message, NodeId, OpId, Out, Standing, Wild,
};
use super::waiting::Ahead;
use crate::report::termination::Fate;

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
        // The operations of which the dead home has not read the last message.
        let last = |message: &Message<V, P>| match message {
            Message::Post { op, .. } | Message::Held { op } => Some(*op),
            _ => None,
        };
        let unheard: Vec<u64> = unread.iter().filter_map(last).collect();
        forged = forged.and(self.home.lost(node, departure, unread, is_told, out));
        self.settle(out);
        self.owner.lost(node, &unheard, out);
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

impl<V, P> Op<V, P> {
    /// Returns the fate of a value that it would write, if this home is lost. A home gives a value away if
    /// it decides about the operation, or holds it for that. It has done neither if it has not read the
    /// last message of the operation.
    fn fate_at(&self, lost: NodeId, is_unheard: bool) -> Fate {
        let decides = match &self.state {
            OpState::Open => !self.multi,
            OpState::Reserved { home, .. } => *home == lost,
            OpState::Parked { .. } => false,
        };
        let writes = |at: &Standing| at.home == lost && at.kind == Kind::Write;
        match decides && !is_unheard && self.guards.iter().flatten().any(writes) {
            true => Fate::Unknown,
            false => Fate::Returned,
        }
    }
}

impl<V: Clone, P: Clone> Owner<V, P> {
    /// Handles the loss of a home. `unheard`: the operations of which that home has not read the last
    /// message.
    pub(super) fn lost(&mut self, node: NodeId, unheard: &[u64], out: &mut Out<V, P>) {
        self.ends.lost(node);
        for seq in self.ops.keys_of(|_, _| true) {
            let Some(op) = self.ops.get_mut(&seq) else {
                continue;
            };
            let Some(guard) = op.guards.iter().position(|at| at.is_some_and(|at| at.home == node))
            else {
                // All its guards there have closed: that home has nothing for it now.
                self.probed(OpId { node: self.id, seq }, node, out);
                continue;
            };
            let is_unheard = unheard.contains(&seq);
            #[cfg(test)]
            let is_unheard = match self.fault {
                Fault::TellsReturned => true,
                Fault::ForgetsHolder => is_unheard || op.multi,
                Fault::DoubtsUnheard => false,
                _ => is_unheard,
            };
            let fate = op.fate_at(node, is_unheard);
            op.leave(node);
            let guard = guard as u16;
            match &mut op.state {
                OpState::Reserved { home, queue } if *home == node => {
                    let queue = std::mem::take(queue);
                    op.failing.get_or_insert((guard, Ending::Lost(node)));
                    self.reopen(seq, queue, fate, out);
                }
                OpState::Reserved { queue, .. } => {
                    queue.retain(|query| query.home != node);
                    self.fail(seq, guard, Ending::Lost(node), fate, out);
                }
                // It was performed. Only the news that its reader has finished is lost.
                OpState::Parked { home, guard } if *home == node => {
                    let guard = *guard;
                    self.complete(seq, guard, None, out);
                }
                OpState::Parked { .. } => {}
                OpState::Open => self.fail(seq, guard, Ending::Lost(node), fate, out),
            }
        }
    }
}
