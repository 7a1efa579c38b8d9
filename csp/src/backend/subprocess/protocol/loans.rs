//! Values lent ahead: a node that reads a buffered channel again and again is given its values before it asks, so that it
//! does not wait a journey there and back for each.
//!
//! What is lent still counts as stored, and is given back whole as soon as anybody else wants to read, or the lessee in another
//! way than one by one: the home recalls it, and serves nobody until it is back. So nothing overtakes, and who reads finds
//! what is there.
//! Invariant: `lent` are the values that the lessee has and has not said to have taken, in their order, older than all that is
//! stored. It says so before its process has the value; if it dies, what is left is here.

use std::collections::VecDeque;

use super::few::Few;
use super::home::{Channel, Home, Leaving};
use super::owner::Owner;
use super::{ChannelId, Message, NodeId, Offer, OpId, Out, Outcome, Parcel, Wild};

#[cfg(test)]
use super::faults::Fault;

/// So many values one node reads in a row, one by one, before others are lent to it.
const FAITH: u32 = if cfg!(test) { 1 } else { 8 };

/// At most so many values are lent, which is what they may keep in memory twice.
const MOST: usize = 64;

/// The home's side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Loans<V> {
    lent: VecDeque<Parcel<V>>,
    lessee: Option<Lessee>,
    /// Who has read so often in a row, one by one.
    habit: Option<(NodeId, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Lessee {
    node: NodeId,
    recalled: bool,
}

/// The lessee's side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Loan<V> {
    kept: VecDeque<Parcel<V>>,
    /// Reads of this node that wait for more.
    waiting: VecDeque<u64>,
}

impl<V> Loans<V> {
    pub(super) fn none() -> Self {
        Self { lent: VecDeque::new(), lessee: None, habit: None }
    }

    pub(super) fn len(&self) -> usize {
        self.lent.len()
    }

    /// Whether some may be out: then nobody else is served.
    pub(super) fn are_out(&self) -> bool {
        self.lessee.is_some()
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &Parcel<V>> {
        self.lent.iter()
    }
}

impl<V, P> Channel<V, P> {
    /// Whether there is a value, or may be once what is lent is back.
    pub(super) fn may_be_read(&self) -> bool {
        !self.stored.is_empty() || self.loans.are_out()
    }

    /// Values that are here, or lent.
    pub(super) fn holds(&self) -> usize {
        self.stored.len() + self.loans.len()
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    /// `node` has read a value, with nothing else in mind.
    pub(super) fn trusts(&mut self, index: u64, node: NodeId, out: &mut Out<V, P>) {
        let me = self.id;
        let Some(channel) = self.channels.get_mut(&index) else { return };
        let times = match channel.loans.habit {
            Some((who, times)) if who == node => times + 1,
            _ => 1,
        };
        channel.loans.habit = Some((node, times));
        let vacant = channel.readers.is_empty() && channel.on_offer.is_none();
        if times >= FAITH && node != me && vacant && channel.ending.is_none() {
            channel.loans.lessee = Some(Lessee { node, recalled: false });
            self.lend(index, out);
        }
    }

    /// Lends what can be.
    pub(super) fn lend(&mut self, index: u64, out: &mut Out<V, P>) {
        let Some(channel) = self.channels.get_mut(&index) else { return };
        let Some(Lessee { node, recalled: false }) = channel.loans.lessee else { return };
        if channel.ending.is_some() {
            return self.recall(index, out);
        }
        while channel.loans.lent.len() < MOST
            && let Some(first) = channel.stored.front()
        {
            // Ends are counted as given where they are given.
            if !first.tokens.is_empty() {
                return self.recall(index, out);
            }
            if let Some(parcel) = channel.stored.pop_front() {
                channel.loans.lent.push_back(parcel.clone());
                out.to(node, Message::Lend { channel: index, parcel });
            }
        }
    }

    /// Somebody wants to read: what is lent is to come back first.
    pub(super) fn recall(&mut self, index: u64, out: &mut Out<V, P>) {
        if let Some(channel) = self.channels.get_mut(&index)
            && let Some(lessee) = &mut channel.loans.lessee
            && !std::mem::replace(&mut lessee.recalled, true)
        {
            out.to(lessee.node, Message::Recall { channel: index });
        }
    }

    /// Whether a read of this operation waits for what is lent to come back.
    pub(super) fn awaits_loans(&self, op: OpId) -> bool {
        let reads = |offer: &Offer<V>| match offer {
            Offer::Read { channel, .. } => {
                self.channels.get(&channel.index).is_some_and(|channel| channel.loans.are_out())
            }
            _ => false,
        };
        self.posts.get(&op).is_some_and(|post| post.guards.iter().any(|(_, offer)| reads(offer)))
    }

    pub(super) fn taken(
        &mut self,
        from: NodeId,
        index: u64,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let Some(channel) = self.channels.get_mut(&index) else { return Ok(()) };
        if channel.loans.lessee.is_none_or(|lessee| lessee.node != from) {
            return Err(Wild("taken what was not lent"));
        }
        // Of a poisoned channel there are none left.
        channel.loans.lent.pop_front();
        self.stir(index, out);
        Ok(())
    }

    /// All that was lent and not taken is back.
    pub(super) fn back(
        &mut self,
        from: NodeId,
        index: u64,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let Some(channel) = self.channels.get_mut(&index) else { return Ok(()) };
        match channel.loans.lessee {
            Some(Lessee { node, recalled: true }) if node == from => {}
            _ => return Err(Wild("given back what was not asked for")),
        }
        self.is_back(index);
        self.serve_after(index, out);
        Ok(())
    }

    fn is_back(&mut self, index: u64) {
        if let Some(channel) = self.channels.get_mut(&index) {
            (channel.loans.lessee, channel.loans.habit) = (None, None);
            let lent = std::mem::take(&mut channel.loans.lent);
            #[cfg(test)]
            if self.fault == Fault::LosesLoans {
                return;
            }
            for parcel in lent.into_iter().rev() {
                channel.stored.push_front(parcel);
            }
        }
    }

    /// Those who have waited for it try again, and go if they wanted to.
    fn serve_after(&mut self, index: u64, out: &mut Out<V, P>) {
        let waiting: Vec<OpId> = match self.channels.get(&index) {
            Some(channel) => channel.readers.iter().map(|(op, _)| *op).collect(),
            None => return,
        };
        for op in waiting {
            if self.posts.get(&op).is_some_and(|post| post.engaged.is_none()) {
                self.retry(op, out);
            }
            let leaves = self
                .posts
                .get(&op)
                .is_some_and(|post| post.engaged.is_none() && post.leaving == Leaving::Withdraws);
            if leaves && !self.awaits_loans(op) {
                self.freed(op, out);
            }
        }
        self.stir(index, out);
    }

    /// A lessee is dead: what it had not taken is here again. Before what it had not read is put back, which is older.
    pub(super) fn lessee_lost(&mut self, node: NodeId) -> Vec<u64> {
        let is_lessee = |channel: &Channel<V, P>| {
            channel.loans.lessee.is_some_and(|lessee| lessee.node == node)
        };
        let lent = self.channels.keys_of(|_, channel| is_lessee(channel));
        lent.iter().for_each(|index| self.is_back(*index));
        lent
    }

    pub(super) fn serve_after_loss(&mut self, channels: Vec<u64>, out: &mut Out<V, P>) {
        for index in channels {
            self.serve_after(index, out);
        }
    }

    /// The channel is poisoned, or has no readers left: what was lent is nobody's.
    pub(super) fn forget_loans(&mut self, index: u64, out: &mut Out<V, P>) {
        if let Some(channel) = self.channels.get_mut(&index) {
            channel.loans.lent.clear();
        }
        self.recall(index, out);
    }
}

impl<V: Clone, P: Clone> Owner<V, P> {
    /// A read of a channel of which values are lent to this node: one of these, or it waits for the next.
    /// False: nothing is lent.
    #[inline]
    pub(super) fn reads_loan(&mut self, seq: u64, channel: ChannelId, out: &mut Out<V, P>) -> Read {
        if self.loans.is_empty() {
            return Read::Posts;
        }
        let Some(loan) = self.loans.get_mut(&channel) else { return Read::Posts };
        match loan.kept.pop_front() {
            Some(parcel) => {
                // Before anything that its process does with it.
                out.to(channel.home, Message::Taken { channel: channel.index });
                let op = OpId { node: self.id, seq };
                self.report(op, Outcome::Done { guard: 0, parcel: Some(parcel) }, out);
                Read::Done
            }
            None => {
                loan.waiting.push_back(seq);
                Read::Waits
            }
        }
    }

    pub(super) fn lend(
        &mut self,
        from: NodeId,
        index: u64,
        parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if !parcel.tokens.is_empty() {
            return Err(Wild("ends that were lent"));
        }
        let channel = ChannelId { home: from, index };
        let loan = self
            .loans
            .entry(channel)
            .or_insert_with(|| Loan { kept: VecDeque::new(), waiting: VecDeque::new() });
        match loan.waiting.pop_front() {
            Some(seq) => {
                out.to(from, Message::Taken { channel: index });
                self.finish(seq, Outcome::Done { guard: 0, parcel: Some(parcel) }, out);
            }
            None => loan.kept.push_back(parcel),
        }
        Ok(())
    }

    /// What is left goes back, and who waits for more asks for it.
    pub(super) fn recalled(&mut self, from: NodeId, index: u64, out: &mut Out<V, P>) {
        let channel = ChannelId { home: from, index };
        let loan = self.loans.remove(&channel);
        out.to(from, Message::Back { channel: index });
        for op in loan.into_iter().flat_map(|loan| loan.waiting) {
            post_read(op, channel, out);
        }
    }

    /// An operation that waits for a loan asks the home after all, which alone knows what is there.
    pub(super) fn ask_home(&mut self, seq: u64, out: &mut Out<V, P>) {
        for (channel, loan) in &mut *self.loans {
            if let Some(at) = loan.waiting.iter().position(|op| *op == seq) {
                loan.waiting.remove(at);
                return post_read(seq, *channel, out);
            }
        }
    }
}

fn post_read<V, P>(op: u64, channel: ChannelId, out: &mut Out<V, P>) {
    let guards = Few::one((0, Offer::Read { channel, extended: false }));
    out.to(channel.home, Message::Post { op, multi: false, guards });
}

/// What becomes of a read where values may be lent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Read {
    Done,
    Waits,
    Posts,
}
