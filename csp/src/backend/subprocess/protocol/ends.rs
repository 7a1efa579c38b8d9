//! Ends of other nodes' channels that this node holds. Cloning one costs no message. The home
//! (owning node) knows only how many have arrived, and is told when the last of them has been
//! dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChannelId, Direction, Message, NodeId, Out, Token, TransitId};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ends {
    me: NodeId,
    next: u64,
    held: BTreeMap<(ChannelId, Direction), EndCount>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
struct EndCount {
    here: u32,
    /// The number that the home has been told of.
    registered: u32,
}

/// Draws what nobody can guess, by a secret of this OS process (SipHash).
#[cfg(not(test))]
fn key(seq: u64) -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(seq)
}

/// Models must do the same each time.
#[cfg(test)]
fn key(seq: u64) -> u64 {
    seq.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Ends {
    pub(super) fn new(me: NodeId) -> Self {
        Ends { me, next: 0, held: BTreeMap::new() }
    }

    pub(super) fn transit(&mut self) -> TransitId {
        let seq = self.next;
        self.next += 1;
        TransitId { origin: self.me, seq, key: key(seq) }
    }

    /// Counts a clone of an end that is here.
    pub(super) fn add(&mut self, channel: ChannelId, direction: Direction) {
        self.held.entry((channel, direction)).or_default().here += 1;
    }

    /// Returns whether any end of this channel is here.
    pub(super) fn holds(&self, channel: ChannelId) -> bool {
        let has = |direction| self.held.contains_key(&(channel, direction));
        has(Direction::Read) || has(Direction::Write)
    }

    pub(super) fn arrive<V, P>(&mut self, token: Token, out: &mut Out<V, P>) {
        let Token { channel, direction, transit } = token;
        if channel.home != self.me {
            let held = self.held.entry((channel, direction)).or_default();
            held.here += 1;
            held.registered += 1;
        }
        out.to(channel.home, Message::MoveIn { channel: channel.index, direction, transit });
    }

    pub(super) fn drop_end<V, P>(
        &mut self,
        channel: ChannelId,
        direction: Direction,
        out: &mut Out<V, P>,
    ) {
        let Some(held) = self.held.get_mut(&(channel, direction)) else {
            return;
        };
        held.here = held.here.saturating_sub(1);
        if held.here == 0 {
            let ends = held.registered;
            self.held.remove(&(channel, direction));
            out.to(channel.home, Message::Retire { channel: channel.index, direction, ends });
        }
    }

    /// Returns the homes of the ends that are here.
    pub(super) fn homes(&self) -> BTreeSet<NodeId> {
        self.held.keys().map(|(channel, _)| channel.home).collect()
    }

    /// Forgets all ends: none is here any more.
    pub(super) fn forget(&mut self) {
        self.held.clear();
    }

    pub(super) fn lost(&mut self, home: NodeId) {
        self.held.retain(|(channel, _), _| channel.home != home);
    }
}
