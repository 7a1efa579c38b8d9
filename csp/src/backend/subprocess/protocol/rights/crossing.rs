//! Links made by an address. An end crosses one such link only, between the homes at both ends of it.
//!
//! Nobody can pack an end for another node. But a value with ends stands at its channel until somebody
//! reads it, and that may be a node that must not have them. The home then gives the value without
//! these ends. It drops them, and in their place come ends of a channel that is poisoned and says why.

use super::super::home::{Home, Leaving, Post};
use super::super::{
    ChannelId, Direction, Ending, Event, Few, Machine, Message, NodeId, Offer, OpId, Out, Outcome,
    Parcel, Token, TransitId, Wild,
};
use super::nowhere::{CROSSED, Crossing, VOID};
use crate::report::termination::Fate;

/// The most operations of one node that stand at a peer behind a link made by an address.
pub(in crate::backend::subprocess::protocol) const MOST_OPERATIONS: usize = 65_536;

impl<V: Clone, P: Clone> Home<V, P> {
    /// Drops the ends in a value that the node which gets it must not have.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn keep_back(
        &mut self,
        to: NodeId,
        parcel: &Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        if !self.crossing.peers.is_empty() {
            for token in &parcel.tokens {
                let Token { channel, transit, .. } = token;
                if self.crossing.is_foreign(self.id, channel.home, to) {
                    self.counts.charge.remove(transit);
                    let (channel, transit) = (channel.index, *transit);
                    out.to(token.channel.home, Message::Drop { channel, transit });
                }
            }
        }
    }

    /// Returns whether this number stands for no channel. Nobody was given a crossed end before there was a link made by an address.
    #[inline]
    pub(super) fn is_nowhere(&self, channel: u64) -> bool {
        channel == VOID || (channel == CROSSED && self.crossing.told.is_some())
    }

    /// Returns how a channel has ended that is not here.
    pub(in crate::backend::subprocess::protocol) fn forgotten(&self, index: u64) -> Ending<P> {
        match (index, &self.crossing.told) {
            (CROSSED, Some(told)) => Ending::Poisoned(told.clone()),
            _ => Ending::Retired,
        }
    }

    /// Retires the ends of this channel that a node holds, and ends its offers there.
    fn retire_all(&mut self, node: NodeId, index: u64, cause: &P, out: &mut Out<V, P>) {
        // From now on it only believes to hold them.
        for direction in [Direction::Read, Direction::Write] {
            let Some(rows) = self.counts.channels.get(&index) else { return };
            let Some(ends) = rows.rows.get(&(node, direction)).copied() else { continue };
            let is_kept =
                (0..ends).all(|_| self.counts.voids.add(node, (index, direction)).is_ok());
            if is_kept {
                let _ = self.retire_held(index, node, direction, ends, out);
            }
        }
        // Offers in an undecided pair are left to that pair.
        let is_there = |offer: &Offer<V>| offer.channel().index == index;
        let standing = self.posts.keys_of(|op, post| {
            let mut offers = post.guards.iter().map(|(_, offer)| offer);
            op.node == node && post.engaged.is_none() && offers.any(is_there)
        });
        for op in standing {
            self.close_by(op, is_there, cause, out);
        }
    }

    fn close_by(
        &mut self,
        op: OpId,
        is_there: impl Fn(&Offer<V>) -> bool,
        cause: &P,
        out: &mut Out<V, P>,
    ) {
        let Some(post) = self.posts.get(&op) else { return };
        let Some((guard, _)) = post.guards.iter().find(|(_, offer)| is_there(offer)) else {
            return;
        };
        let (guard, ending) = (*guard, Ending::Poisoned(cause.clone()));
        out.to(op.node, Message::Closed { op: op.seq, guard, ending });
        self.remove(op, out);
    }
}

/// The operations of a node that stand at a peer. A node begins no more than a peer takes.
impl<V: Clone, P: Clone> Home<V, P> {
    /// Judges one operation more.
    #[inline]
    pub(super) fn may_stand(&self, from: NodeId) -> Result<(), Wild> {
        match self.crossing.peers.get(&from) {
            Some(standing) if *standing >= MOST_OPERATIONS => {
                Err(Wild("more than 65,536 operations of one program"))
            }
            _ => Ok(()),
        }
    }

    /// Looks through all operations, and returns how many of a node stand here and are not over for it.
    pub(in crate::backend::subprocess::protocol) fn standing(&self, node: NodeId) -> usize {
        let is_over = |post: &Post<V>| post.leaving == Leaving::Over;
        self.posts.iter().filter(|(op, post)| op.node == node && !is_over(post)).count()
    }

    /// Counts an operation that stands here from now on.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn count_in(&mut self, op: OpId) {
        if let Some(standing) = self.crossing.peers.get_mut(&op.node) {
            *standing += 1;
        }
    }

    /// Counts an operation no longer, because it is over, or over for its owner.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn count_out(&mut self, op: OpId) {
        if let Some(standing) = self.crossing.peers.get_mut(&op.node) {
            *standing = standing.saturating_sub(1);
        }
    }
}

impl<V: Clone, P: Clone> Machine<V, P> {
    /// Records that a node is behind a link made by an address. `told` poisons the ends that can't cross, and `full` ends an
    /// operation that would be one too many there.
    pub(crate) fn met_by_address(&mut self, node: NodeId, told: P, full: P) {
        let standing = self.home.standing(node);
        self.home.crossing.peers.insert(node, standing);
        self.home.crossing.told = Some(told);
        self.home.crossing.full = Some(full);
    }

    /// Ends an operation that would be one too many at a peer. Nobody has had its values. Returns `None` for any other operation.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn begins_too_many(
        &mut self,
        guards: &mut Few<(u16, Offer<V>)>,
        out: &mut Out<V, P>,
    ) -> Option<OpId> {
        // To look through all operations takes a while.
        let has_many = self.owner.ops.len() >= MOST_OPERATIONS;
        match has_many && !self.home.crossing.peers.is_empty() {
            true => self.ends_if_too_many(guards, out),
            false => None,
        }
    }

    #[cold]
    fn ends_if_too_many(
        &mut self,
        guards: &mut Few<(u16, Offer<V>)>,
        out: &mut Out<V, P>,
    ) -> Option<OpId> {
        let Crossing { peers, full, .. } = &self.home.crossing;
        let is_full = |home: &NodeId| {
            let standing = self.owner.ops.iter().filter(|(_, op)| op.is_at(*home));
            peers.contains_key(home) && standing.count() >= MOST_OPERATIONS
        };
        let (guard, _) = guards.iter().find(|(_, offer)| is_full(&offer.channel().home))?;
        let (guard, ending) = (*guard, Ending::Poisoned(full.clone()?));
        for (_, offer) in std::mem::take(guards) {
            if let Offer::Write { parcel, .. } = offer {
                parcel.destroy(out);
            }
        }
        let op = self.owner.next();
        self.owner.next += 1;
        let outcome = Outcome::Ended { guard, ending, fate: Fate::Returned };
        out.events.push(Event { op, outcome });
        self.settle(out);
        Some(op)
    }

    /// Forgets a node that is lost.
    pub(crate) fn lost_by_address(&mut self, node: NodeId) {
        self.home.crossing.peers.remove(&node);
    }

    /// Returns whether an end of this channel may set out to a node.
    pub(crate) fn may_cross(&self, channel: ChannelId, to: NodeId) -> bool {
        !self.home.crossing.is_foreign(self.id, channel.home, to)
    }

    /// Puts other ends in place of those in a message that must not go to this node.
    pub(crate) fn without_foreign_ends(&self, to: NodeId, message: &mut Message<V, P>) {
        for parcel in message.parcels_mut() {
            for token in &mut parcel.tokens {
                if self.home.crossing.is_foreign(self.id, token.channel.home, to) {
                    token.channel = ChannelId { home: self.id, index: CROSSED };
                    token.transit = TransitId { origin: self.id, seq: VOID, key: 0 };
                }
            }
        }
    }

    /// Judges the poison of a node whose poison does not pass.
    pub(crate) fn judge_poison(&self, node: NodeId, channel: u64, cause: P) -> Result<(), Wild> {
        self.judge(node, &Message::Poison { channel, cause }).map(drop)
    }

    /// Handles the poison of a node whose poison does not pass. The channel lives on without its ends.
    pub(crate) fn retire_poisoner(
        &mut self,
        node: NodeId,
        channel: u64,
        cause: &P,
        out: &mut Out<V, P>,
    ) {
        self.home.retire_all(node, channel, cause, out);
        self.settle(out);
    }
}

impl<V, P> Message<V, P> {
    /// Returns the values in a message.
    pub(crate) fn parcels_mut(&mut self) -> impl Iterator<Item = &mut Parcel<V>> {
        let (guards, parcel) = match self {
            Message::Post { guards, .. } => (Some(guards), None),
            Message::Done { parcel, .. }
            | Message::Claim { parcel, .. }
            | Message::Commit { parcel, .. } => (None, parcel.as_mut()),
            Message::Back { parcel, .. } => (None, Some(parcel)),
            _ => (None, None),
        };
        let written = guards.into_iter().flatten().filter_map(|(_, offer)| match offer {
            Offer::Write { parcel, .. } => Some(parcel),
            _ => None,
        });
        written.chain(parcel)
    }
}
