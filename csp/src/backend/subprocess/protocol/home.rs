//! The home's side (the owning node's): channels, the offers that stand at them, and which offers
//! meet. Invariant: two offers on a channel that could communicate are never both free. The
//! exception: a stored value is on offer to an operation that has not answered. The oldest free
//! offer comes first: an offer in an undecided pair holds up no other offer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::pairs::{BEFORE, Pair};
use super::rights::dead::Dead;
#[cfg(feature = "address")]
use super::rights::nowhere::Crossing;
use super::rights::waiting::Waiting;
use super::table::Table;
use super::{
    ChannelId, Direction, Ending, Few, Message, NodeId, Offer, OpId, Out, Parcel, TransitId, Wild,
};

#[cfg(test)]
use super::proof::faults::{Fault, post_one_by_one};

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Home<V, P> {
    pub(super) id: NodeId,
    pub(super) channels: Table<u64, HomeChannel<V, P>>,
    pub(super) next: u64,
    pub(super) posts: Table<OpId, Post<V>>,
    /// Undecided pairs, by the operation that names them: the reader if there is one.
    pub(super) pairs: Table<OpId, Pair>,
    /// Operations that were over when they were asked, as is known by now. Their refusals are yet
    /// to come.
    pub(super) forgone: BTreeSet<OpId>,
    /// Extended reads that are done and not finished, each with the writer that waits for it.
    pub(super) extended: BTreeMap<OpId, WaitingWriter>,
    pub(super) counts: Counts,
    pub(super) waiting: Waiting<V, P>,
    pub(super) dead: Dead,
    #[cfg(feature = "address")]
    #[serde(skip, default = "Crossing::default")]
    pub(super) crossing: Crossing<P>,
    #[cfg(test)]
    #[serde(skip)]
    pub(super) fault: Fault,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct HomeChannel<V, P> {
    pub(super) capacity: usize,
    /// Buffered values, and values that a dead reader had not taken.
    pub(super) stored: VecDeque<Parcel<V>>,
    /// The number of values in front that were given to readers that had not taken them. They stand in the
    /// order in which they were given.
    pub(super) back: usize,
    /// The turn of the value that was given last.
    pub(super) turn: u64,
    /// The stored value that is on offer to an operation that has not answered. The others wait, to
    /// keep their order.
    pub(super) on_offer: Option<usize>,
    /// Places promised to writers that have not answered.
    pub(super) promised: usize,
    /// The channel is for one value, which has been promised to a reader of another channel.
    pub(super) late: bool,
    pub(super) readers: VecDeque<(OpId, u16)>,
    pub(super) writers: VecDeque<(OpId, u16)>,
    pub(super) watchers: VecDeque<(OpId, u16)>,
    pub(super) ending: Option<Ending<P>>,
}

/// The part of an operation that stands here: its guards at this home.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Post<V> {
    pub(super) guards: Few<(u16, Offer<V>)>,
    pub(super) multi: bool,
    /// The undecided pair that it is in.
    pub(super) engaged: Option<OpId>,
    pub(super) leaving: Leaving,
    pub(super) probed: bool,
}

/// The fate of an operation if the pair that it is in does not come about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Leaving {
    Stays,
    /// Its owner withdraws it, and is told so.
    Withdraws,
    /// It is over elsewhere.
    Over,
    /// Its owner is dead.
    Dead,
}

/// A writer that has been read and waits for its reader to finish.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct WaitingWriter {
    pub(super) writer: OpId,
    pub(super) guard: u16,
    pub(super) channel: u64,
}

impl<V, P> HomeChannel<V, P> {
    fn queue(&mut self, offer: &Offer<V>) -> &mut VecDeque<(OpId, u16)> {
        match offer {
            Offer::Read { .. } => &mut self.readers,
            Offer::Write { .. } => &mut self.writers,
            Offer::Retired { .. } => &mut self.watchers,
        }
    }

    /// Takes a stored value out.
    pub(super) fn take(&mut self, at: usize) -> Option<Parcel<V>> {
        let parcel = self.stored.remove(at)?;
        self.back -= usize::from(at < self.back);
        Some(parcel)
    }

    /// Returns false if there is nothing for this offer as long as the channel has not ended.
    #[inline]
    fn may_have(&self, offer: &Offer<V>) -> bool {
        match offer {
            Offer::Read { .. } => !self.stored.is_empty() || !self.writers.is_empty(),
            Offer::Write { .. } => self.capacity > 0 || !self.readers.is_empty(),
            Offer::Retired { .. } => self.ending.is_some(),
        }
    }
}

impl<V> Post<V> {
    pub(super) fn offer(&self, guard: u16) -> Option<&Offer<V>> {
        self.guards.iter().find(|(index, _)| *index == guard).map(|(_, offer)| offer)
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    pub(super) fn new(id: NodeId) -> Self {
        Home {
            id,
            channels: Table::default(),
            next: 0,
            posts: Table::default(),
            pairs: Table::default(),
            forgone: BTreeSet::new(),
            extended: BTreeMap::new(),
            counts: Counts::default(),
            waiting: Waiting::default(),
            dead: Dead::default(),
            #[cfg(feature = "address")]
            crossing: Crossing::default(),
            #[cfg(test)]
            fault: Fault::None,
        }
    }

    pub(super) fn create(&mut self, capacity: usize) -> ChannelId {
        let index = self.next;
        self.next += 1;
        let channel = HomeChannel {
            capacity,
            stored: VecDeque::new(),
            back: 0,
            turn: BEFORE,
            on_offer: None,
            promised: 0,
            late: false,
            readers: VecDeque::new(),
            writers: VecDeque::new(),
            watchers: VecDeque::new(),
            ending: None,
        };
        self.channels.insert(index, channel);
        self.counts.create(index);
        ChannelId { home: self.id, index }
    }

    pub(super) fn post(
        &mut self,
        op: OpId,
        multi: bool,
        guards: Few<(u16, Offer<V>)>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if guards.is_empty()
            || self.posts.contains_key(&op)
            || guards.iter().any(|(_, o)| o.channel().home != self.id)
        {
            return Err(Wild("an operation of nothing, of elsewhere, or posted twice"));
        }
        let guards = match self.meet_at_once(op, multi, guards, out) {
            Some(guards) => guards,
            None => return Ok(()),
        };
        // The operation has to wait: its guards are queued, and tried once.
        for (guard, offer) in &guards {
            if let Offer::Write { parcel, .. } = offer {
                self.counts.take_charge(parcel, &self.dead);
            }
            if let Some(channel) = self.channels.get_mut(&offer.channel().index) {
                channel.queue(offer).push_back((op, *guard));
            }
        }
        let post = Post { guards, multi, engaged: None, leaving: Leaving::Stays, probed: false };
        self.posts.insert(op, post);
        self.count_in(op);
        #[cfg(test)]
        if self.fault == Fault::GuardsOneByOne {
            return post_one_by_one(self, op, out);
        }
        self.retry(op, out);
        Ok(())
    }

    /// Performs the most common operation: a single guard whose partner waits already. Such an
    /// operation never stands in a queue. Returns the guards in all other cases.
    fn meet_at_once(
        &mut self,
        op: OpId,
        multi: bool,
        mut guards: Few<(u16, Offer<V>)>,
        out: &mut Out<V, P>,
    ) -> Option<Few<(u16, Offer<V>)>> {
        let [(guard, offer)] = &mut guards[..] else {
            return Some(guards);
        };
        let (guard, index) = (*guard, offer.channel().index);
        // All cases except a plain rendezvous are left to the queues.
        let queue = match (self.channels.get(&index), &*offer) {
            (Some(channel), _)
                if multi
                    || channel.capacity > 0
                    || !channel.stored.is_empty()
                    || channel.ending.is_some() =>
            {
                return Some(guards);
            }
            (Some(channel), Offer::Read { .. }) => &channel.writers,
            (Some(channel), Offer::Write { parcel, .. }) if parcel.tokens.is_empty() => {
                &channel.readers
            }
            _ => return Some(guards),
        };
        let partner = self.free_partner(op, queue).filter(|(other, _)| self.decides(*other));
        let Some(partner) = partner else {
            return Some(guards);
        };
        // Both are decided here, so the communication happens now.
        match guards.pop()?.1 {
            Offer::Read { extended, .. } => {
                let parcel = self.perform(partner.0, partner.1, out)?;
                self.deliver((op, guard), index, parcel, out);
                self.release_writer(partner, op, index, extended, out);
            }
            Offer::Write { parcel, .. } => {
                let extended = self.is_extended(partner);
                self.perform(partner.0, partner.1, out);
                self.deliver(partner, index, parcel, out);
                self.release_writer((op, guard), partner.0, index, extended, out);
            }
            Offer::Retired { .. } => {}
        }
        None
    }

    /// Tries all guards of a free operation, in its order. Guards whose channels have ended are
    /// closed first.
    pub(super) fn retry(&mut self, op: OpId, out: &mut Out<V, P>) {
        let Some(post) = self.posts.get(&op) else {
            return;
        };
        let probed = post.probed;
        // Are there guards to close, and may one of the others be performed?
        let (mut ended, mut promising) = (false, false);
        for (_, offer) in &post.guards {
            let channel = self.channels.get(&offer.channel().index);
            ended |= channel.is_none_or(|channel| channel.ending.is_some());
            promising |= channel.is_some_and(|channel| channel.may_have(offer));
        }
        if ended {
            self.close_ended(op, out);
        }
        // A failed attempt leaves the guards as they are.
        let mut at = 0;
        while (ended || promising)
            && let Some((guard, _)) = self.posts.get(&op).and_then(|post| post.guards.get(at))
        {
            if self.attempt(op, *guard, out) {
                return;
            }
            at += 1;
        }
        if probed {
            if let Some(post) = self.posts.get_mut(&op) {
                post.probed = false;
            }
            out.to(op.node, Message::Probed { op: op.seq });
        }
    }

    /// Tries one guard of a free operation. Returns whether it has been performed or is in a pair
    /// now.
    fn attempt(&mut self, op: OpId, guard: u16, out: &mut Out<V, P>) -> bool {
        let Some(post) = self.posts.get(&op) else {
            return false;
        };
        debug_assert!(post.engaged.is_none());
        let Some(offer) = post.offer(guard) else {
            return false;
        };
        let index = offer.channel().index;
        let Some(channel) = self.channels.get(&index) else {
            return false;
        };
        match offer {
            // The partner of each kind of guard: a stored value or a writer, a place or a reader,
            // the end of the channel.
            Offer::Read { .. } => {
                if channel.on_offer.is_some() {
                    return false;
                }
                if !channel.stored.is_empty() {
                    self.take_stored(op, guard, index, out);
                    return true;
                }
                let partner = self.free_partner(op, &channel.writers);
                match partner {
                    Some(writer) if channel.capacity == 0 => {
                        self.meet((op, guard), writer, index, out);
                        true
                    }
                    _ => false,
                }
            }
            Offer::Write { .. } if channel.capacity > 0 => {
                if channel.ending.is_some()
                    || channel.stored.len() + channel.promised >= channel.capacity
                {
                    return false;
                }
                self.store(op, guard, index, out);
                true
            }
            Offer::Write { .. } => {
                if !channel.stored.is_empty() {
                    return false;
                }
                match self.free_partner(op, &channel.readers) {
                    Some(reader) => {
                        self.meet(reader, (op, guard), index, out);
                        true
                    }
                    None => false,
                }
            }
            Offer::Retired { .. } => {
                if !matches!(channel.ending, Some(Ending::Retired)) || !channel.stored.is_empty() {
                    return false;
                }
                self.fire_watcher(op, guard, index, out);
                true
            }
        }
    }

    fn free_partner(&self, op: OpId, queue: &VecDeque<(OpId, u16)>) -> Option<(OpId, u16)> {
        queue.iter().copied().find(|(other, _)| {
            *other != op && self.posts.get(other).is_some_and(|p| p.engaged.is_none())
        })
    }

    /// Matches all offers that can be matched on a channel whose store or whose ending has changed.
    pub(super) fn stir(&mut self, index: u64, out: &mut Out<V, P>) {
        loop {
            let Some(channel) = self.channels.get(&index) else {
                return;
            };
            let free: Vec<(OpId, u16)> = [&channel.readers, &channel.writers, &channel.watchers]
                .into_iter()
                .flatten()
                .copied()
                .filter(|(op, _)| self.posts.get(op).is_some_and(|p| p.engaged.is_none()))
                .collect();
            if !free.into_iter().any(|(op, guard)| self.attempt(op, guard, out)) {
                break;
            }
        }
        self.close_channel(index, out);
        self.sweep(index);
    }

    /// Ends the channel for all free offers. Offers in an undecided pair are left to that pair.
    pub(super) fn end(&mut self, index: u64, ending: Ending<P>, out: &mut Out<V, P>) {
        let Some(channel) = self.channels.get_mut(&index) else {
            return;
        };
        // Poison still reaches the readers of what a retired channel had stored.
        let stronger = matches!(channel.ending, Some(Ending::Retired))
            && !matches!(ending, Ending::Retired)
            && !channel.stored.is_empty();
        if channel.ending.is_some() && !stronger {
            return;
        }
        channel.ending = Some(ending);
        self.stir(index, out);
    }

    fn close_channel(&mut self, index: u64, out: &mut Out<V, P>) {
        let readers_gone = self.counts.readers_gone(index);
        let Some(channel) = self.channels.get_mut(&index) else {
            return;
        };
        let Some(ending) = &channel.ending else {
            return;
        };
        // Nobody may read the stored values any more, except the one that is on offer.
        if readers_gone || !matches!(ending, Ending::Retired) {
            let kept = channel.on_offer.take();
            let all = std::mem::take(&mut channel.stored);
            channel.back = 0;
            for (at, parcel) in all.into_iter().enumerate() {
                if kept == Some(at) {
                    channel.stored.push_back(parcel);
                    channel.on_offer = Some(0);
                } else {
                    self.counts.destroy(parcel, out);
                }
            }
        }
        // The free offers are told.
        let Some(channel) = self.channels.get(&index) else {
            return;
        };
        let free: Vec<OpId> = [&channel.readers, &channel.writers, &channel.watchers]
            .into_iter()
            .flatten()
            .map(|(op, _)| *op)
            .filter(|op| self.may_close(op))
            .collect();
        for op in free {
            self.close_ended(op, out);
        }
    }

    fn may_close(&self, op: &OpId) -> bool {
        #[cfg(test)]
        if self.fault == Fault::ClosesEngaged {
            return true;
        }
        self.posts.get(op).is_some_and(|p| p.engaged.is_none())
    }

    /// Closes those guards of a free operation whose channels have ended for them.
    fn close_ended(&mut self, op: OpId, out: &mut Out<V, P>) {
        let Some(post) = self.posts.get(&op) else {
            return;
        };
        let closed: Vec<(u16, Ending<P>)> = post
            .guards
            .iter()
            .filter_map(|(guard, offer)| Some((*guard, self.ended(offer)?)))
            .collect();
        for (guard, ending) in closed {
            let fatal = !matches!(ending, Ending::Retired);
            out.to(op.node, Message::Closed { op: op.seq, guard, ending });
            if fatal {
                self.remove(op, out);
                return;
            }
            self.remove_guard(op, guard, out);
        }
    }

    /// Returns how the channel of an offer has ended, as far as this offer is concerned.
    fn ended(&self, offer: &Offer<V>) -> Option<Ending<P>> {
        let Some(channel) = self.channels.get(&offer.channel().index) else {
            return Some(self.forgotten(offer.channel().index));
        };
        let ending = channel.ending.as_ref()?;
        match (offer, ending) {
            (Offer::Retired { .. }, Ending::Retired) => None,
            (Offer::Read { .. }, Ending::Retired) => {
                let drained = channel.stored.is_empty();
                drained.then(|| ending.clone())
            }
            _ => Some(ending.clone()),
        }
    }

    pub(super) fn ending(&self, index: u64, direction: Direction) -> Option<Ending<P>> {
        let Some(channel) = self.channels.get(&index) else {
            return Some(Ending::Retired);
        };
        let ending = channel.ending.as_ref()?;
        let readable = direction == Direction::Read && !channel.stored.is_empty();
        (!readable || !matches!(ending, Ending::Retired)).then(|| ending.clone())
    }

    fn remove_guard(&mut self, op: OpId, guard: u16, out: &mut Out<V, P>) {
        let Some(post) = self.posts.get_mut(&op) else {
            return;
        };
        let Some(at) = post.guards.iter().position(|(index, _)| *index == guard) else {
            return;
        };
        let (_, offer) = post.guards.remove(at);
        if post.guards.is_empty() {
            self.take_post(op);
        }
        self.forget_offer(op, guard, offer, out);
    }

    /// Takes an operation out.
    #[inline]
    fn take_post(&mut self, op: OpId) -> Option<Post<V>> {
        let post = self.posts.remove(&op)?;
        if post.leaving != Leaving::Over {
            self.count_out(op);
        }
        Some(post)
    }

    /// Removes an operation, with its values.
    pub(super) fn remove(&mut self, op: OpId, out: &mut Out<V, P>) {
        if let Some(post) = self.take_post(op) {
            for (guard, offer) in post.guards {
                self.forget_offer(op, guard, offer, out);
            }
        }
    }

    /// Removes an operation whose guard is being performed. Returns the value if the guard was an
    /// output.
    pub(super) fn perform(
        &mut self,
        op: OpId,
        guard: u16,
        out: &mut Out<V, P>,
    ) -> Option<Parcel<V>> {
        let mut given = None;
        if let Some(post) = self.take_post(op) {
            for (index, offer) in post.guards {
                if index != guard {
                    self.forget_offer(op, index, offer, out);
                    continue;
                }
                self.unqueue(op, index, &offer);
                if let Offer::Write { parcel, .. } = offer {
                    given = Some(parcel);
                }
            }
        }
        given
    }

    /// Keeps a late value for the next reader, because the reader that it was promised to is dead.
    /// Its writer waits no longer.
    pub(super) fn returned(&mut self, index: u64, transit: TransitId, out: &mut Out<V, P>) {
        if self.counts.transit(transit).is_some()
            && let Some(channel) = self.channels.get_mut(&index)
            && channel.late
        {
            channel.capacity = 1;
            self.stir(index, out);
        }
    }

    fn forget_offer(&mut self, op: OpId, guard: u16, offer: Offer<V>, out: &mut Out<V, P>) {
        self.unqueue(op, guard, &offer);
        if let Offer::Write { parcel, .. } = offer {
            self.counts.destroy(parcel, out);
        }
    }

    fn unqueue(&mut self, op: OpId, guard: u16, offer: &Offer<V>) {
        if let Some(channel) = self.channels.get_mut(&offer.channel().index) {
            let queue = channel.queue(offer);
            if queue.front() == Some(&(op, guard)) {
                queue.pop_front();
            } else if let Some(at) = queue.iter().position(|entry| *entry == (op, guard)) {
                queue.remove(at);
            }
            // It may have been the last thing that kept an ended channel: an offer in an undecided pair.
            if channel.ending.is_some() {
                self.sweep(offer.channel().index);
            }
        }
    }

    /// Forgets a channel that nothing can reach any more.
    fn sweep(&mut self, index: u64) {
        let unused = self.channels.get(&index).is_some_and(|channel| {
            channel.readers.is_empty()
                && channel.writers.is_empty()
                && channel.watchers.is_empty()
                && channel.stored.is_empty()
                && channel.promised == 0
        });
        if unused && self.counts.unreachable(index) {
            self.channels.remove(&index);
            self.counts.remove(index);
        }
    }
}
