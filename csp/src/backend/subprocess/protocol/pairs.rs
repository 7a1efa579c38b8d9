//! The home's side: a reader and a writer have met. If the home decides for both, that is all; else it asks, one
//! question at a time, and the pair is undecided until the answer.
//! Invariant: `asked` owes exactly one answer; who is `held` cannot be completed by anybody else. An operation that its owner
//! takes back while it is asked has answered by that: its refusal, which is still to come, is forgone.

use super::home::{Home, Leaving, Waiting};
use super::{Direction, Message, Offer, OpId, Out, Parcel, Wild};

#[cfg(test)]
use super::faults::Fault;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pair {
    channel: u64,
    kind: Kind,
    asked: OpId,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Meeting {
        reader: (OpId, u16),
        writer: (OpId, u16),
    },
    /// A reader and the oldest stored value.
    Taking {
        reader: (OpId, u16),
    },
    /// A writer and a place in the store.
    Storing {
        writer: (OpId, u16),
    },
    /// One that waits for the end of the channel.
    Watching {
        watcher: (OpId, u16),
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    /// `asked` is the lower of two, to be held.
    Reserving,
    /// `asked` decides; the other, if `held`, is reserved.
    Claiming { held: bool },
}

impl Pair {
    /// The other of the two, if there is one.
    fn partner(&self) -> Option<(OpId, u16)> {
        match self.kind {
            Kind::Meeting { reader, writer } if reader.0 == self.asked => Some(writer),
            Kind::Meeting { reader, .. } => Some(reader),
            _ => None,
        }
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    /// A reader and a writer, both free, have met on a rendezvous channel.
    pub(super) fn meet(
        &mut self,
        reader: (OpId, u16),
        writer: (OpId, u16),
        channel: u64,
        out: &mut Out<V, P>,
    ) {
        let (asked, phase) = match (self.decides(reader.0), self.decides(writer.0)) {
            (true, true) => return self.both(reader, writer, channel, out),
            (false, true) => (reader.0, Phase::Claiming { held: false }),
            (true, false) => (writer.0, Phase::Claiming { held: false }),
            #[cfg(test)]
            (false, false) if self.fault == Fault::ReservesReader => (reader.0, Phase::Reserving),
            (false, false) => (reader.0.min(writer.0), Phase::Reserving),
        };
        let kind = Kind::Meeting { reader, writer };
        self.engage(channel, kind, asked, phase, out);
    }

    pub(super) fn take_stored(&mut self, op: OpId, guard: u16, index: u64, out: &mut Out<V, P>) {
        let multi = !self.decides(op);
        let Some(channel) = self.channels.get_mut(&index) else {
            return;
        };
        if !multi {
            if let Some(parcel) = channel.stored.pop_front() {
                self.perform(op, guard, out);
                self.deliver((op, guard), index, parcel, out);
                self.stir(index, out);
            }
            return;
        }
        channel.on_offer = Some(0);
        let kind = Kind::Taking { reader: (op, guard) };
        self.engage(index, kind, op, Phase::Claiming { held: false }, out);
    }

    pub(super) fn store(&mut self, op: OpId, guard: u16, index: u64, out: &mut Out<V, P>) {
        if self.decides(op) {
            let parcel = self.perform(op, guard, out);
            self.tell_done(op, guard, index, out);
            self.stored(index, parcel, out);
            return;
        }
        if let Some(channel) = self.channels.get_mut(&index) {
            channel.promised += 1;
        }
        let kind = Kind::Storing { writer: (op, guard) };
        self.engage(index, kind, op, Phase::Claiming { held: false }, out);
    }

    pub(super) fn fire_watcher(&mut self, op: OpId, guard: u16, index: u64, out: &mut Out<V, P>) {
        if self.decides(op) {
            self.perform(op, guard, out);
            self.tell_done(op, guard, index, out);
            return;
        }
        let kind = Kind::Watching { watcher: (op, guard) };
        self.engage(index, kind, op, Phase::Claiming { held: false }, out);
    }

    pub(super) fn decides(&self, op: OpId) -> bool {
        self.posts.get(&op).is_some_and(|post| !post.multi)
    }

    /// Home decides for both.
    fn both(
        &mut self,
        reader: (OpId, u16),
        writer: (OpId, u16),
        channel: u64,
        out: &mut Out<V, P>,
    ) {
        let extended = self.is_extended(reader);
        self.perform(reader.0, reader.1, out);
        if let Some(parcel) = self.perform(writer.0, writer.1, out) {
            self.deliver(reader, channel, parcel, out);
        }
        self.release_writer(writer, reader.0, channel, extended, out);
    }

    pub(super) fn is_extended(&self, (op, guard): (OpId, u16)) -> bool {
        let post = self.posts.get(&op);
        let offer = post.and_then(|post| post.offer(guard));
        matches!(offer, Some(Offer::Read { extended: true, .. }))
    }

    pub(super) fn deliver(
        &mut self,
        (op, guard): (OpId, u16),
        channel: u64,
        parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        self.counts.hand_over(self.id, op.node, &parcel);
        out.to(op.node, Message::Done { op: op.seq, guard, channel, parcel: Some(parcel) });
    }

    fn tell_done(&mut self, op: OpId, guard: u16, channel: u64, out: &mut Out<V, P>) {
        out.to(op.node, Message::Done { op: op.seq, guard, channel, parcel: None });
    }

    /// The writer has been read: it may go, or waits for its extended reader to finish.
    pub(super) fn release_writer(
        &mut self,
        writer: (OpId, u16),
        reader: OpId,
        channel: u64,
        extended: bool,
        out: &mut Out<V, P>,
    ) {
        if extended {
            let waiting = Waiting { writer: writer.0, guard: writer.1, channel };
            self.extended.insert(reader, waiting);
        } else {
            self.tell_done(writer.0, writer.1, channel, out);
        }
    }

    pub(super) fn preload(&mut self, index: u64, parcel: Parcel<V>, out: &mut Out<V, P>) {
        self.counts.take_charge(&parcel, &self.dead);
        self.stored(index, Some(parcel), out);
    }

    fn stored(&mut self, index: u64, parcel: Option<Parcel<V>>, out: &mut Out<V, P>) {
        let Some(parcel) = parcel else { return };
        match self.channels.get_mut(&index) {
            Some(channel) => channel.stored.push_back(parcel),
            None => self.counts.destroy(parcel, out),
        }
        self.stir(index, out);
    }

    /// A value that nobody has taken after all goes back to where it is first.
    pub(super) fn put_back(&mut self, index: u64, parcel: Parcel<V>, out: &mut Out<V, P>) {
        self.counts.take_back(&parcel);
        for token in &parcel.tokens {
            if token.direction == Direction::Read {
                let message = Message::Returned { channel: token.channel.index };
                out.to(token.channel.home, message);
            }
        }
        match self.channels.get_mut(&index) {
            Some(channel) => {
                channel.stored.push_front(parcel);
                if let Some(at) = &mut channel.on_offer {
                    *at += 1;
                }
            }
            None => self.counts.destroy(parcel, out),
        }
    }

    fn engage(&mut self, channel: u64, kind: Kind, asked: OpId, phase: Phase, out: &mut Out<V, P>) {
        let (name, other) = match kind {
            Kind::Meeting { reader, writer } => (reader.0, Some(writer.0)),
            Kind::Taking { reader, .. } => (reader.0, None),
            Kind::Storing { writer } => (writer.0, None),
            Kind::Watching { watcher } => (watcher.0, None),
        };
        for op in [Some(name), other].into_iter().flatten() {
            if let Some(post) = self.posts.get_mut(&op) {
                post.engaged = Some(name);
            }
        }
        let pair = Pair { channel, kind, asked, phase };
        self.ask(&pair, out);
        self.pairs.insert(name, pair);
    }

    fn ask(&mut self, pair: &Pair, out: &mut Out<V, P>) {
        let op = pair.asked.seq;
        let message = match pair.phase {
            Phase::Reserving => Message::Reserve { op },
            Phase::Claiming { .. } => {
                let (guard, parcel, park) = self.claimed(pair);
                Message::Claim { op, guard, channel: pair.channel, parcel, park }
            }
        };
        out.to(pair.asked.node, message);
    }

    /// What `asked` gets if it takes: the guard, the value, and whether it is to wait for `Done`.
    fn claimed(&self, pair: &Pair) -> (u16, Option<Parcel<V>>, bool) {
        match &pair.kind {
            Kind::Meeting { reader, writer } if reader.0 == pair.asked => {
                (reader.1, self.output(*writer).cloned(), false)
            }
            Kind::Meeting { reader, writer } => (writer.1, None, self.is_extended(*reader)),
            Kind::Taking { reader } => (reader.1, self.on_offer(pair.channel).cloned(), false),
            Kind::Storing { writer } => (writer.1, None, false),
            Kind::Watching { watcher } => (watcher.1, None, false),
        }
    }

    fn on_offer(&self, index: u64) -> Option<&Parcel<V>> {
        let channel = self.channels.get(&index)?;
        channel.stored.get(channel.on_offer?)
    }

    fn output(&self, (op, guard): (OpId, u16)) -> Option<&Parcel<V>> {
        match self.posts.get(&op)?.offer(guard)? {
            Offer::Write { parcel, .. } => Some(parcel),
            _ => None,
        }
    }

    /// Removes the pair in which `op` owes an answer, of this kind if it matters, and frees its operations.
    fn answered(&mut self, op: OpId, reserving: Option<bool>) -> Result<Pair, Wild> {
        let name = self.posts.get(&op).and_then(|post| post.engaged);
        let name = name.ok_or(Wild("an answer to no question"))?;
        let asked = self.pairs.get(&name).is_some_and(|pair| {
            let phase = pair.phase == Phase::Reserving;
            pair.asked == op && reserving.is_none_or(|expected| expected == phase)
        });
        let pair = asked.then(|| self.pairs.remove(&name)).flatten();
        let pair = pair.ok_or(Wild("an answer to another's question"))?;
        for op in [Some(op), pair.partner().map(|(op, _)| op)] {
            if let Some(post) = op.and_then(|op| self.posts.get_mut(&op)) {
                post.engaged = None;
            }
        }
        Ok(pair)
    }

    /// The pair has come about.
    pub(super) fn take(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        let pair = self.answered(op, Some(false))?;
        let held = pair.phase == Phase::Claiming { held: true };
        let index = pair.channel;
        match pair.kind {
            Kind::Meeting { reader, writer } if reader.0 == op => {
                let extended = self.is_extended(reader);
                let parcel = self.perform(writer.0, writer.1, out);
                self.perform(op, reader.1, out);
                if let Some(parcel) = parcel {
                    self.counts.hand_over(self.id, op.node, &parcel);
                }
                if held {
                    self.commit(writer, index, None, extended, out);
                    if extended {
                        self.release_writer(writer, op, index, true, out);
                    }
                } else {
                    self.release_writer(writer, op, index, extended, out);
                }
            }
            Kind::Meeting { reader, writer } => {
                let extended = self.is_extended(reader);
                let dead = self.is_dead(reader.0);
                let parcel = self.perform(writer.0, writer.1, out);
                self.perform(reader.0, reader.1, out);
                match parcel {
                    // The writer was told yes, its reader is dead: the next reader has the value.
                    Some(parcel) if dead => {
                        self.put_back(index, parcel, out);
                        self.stir(index, out);
                    }
                    Some(parcel) if held => {
                        self.counts.hand_over(self.id, reader.0.node, &parcel);
                        self.commit(reader, index, Some(parcel), false, out);
                    }
                    Some(parcel) => self.deliver(reader, index, parcel, out),
                    None => {}
                }
                if extended {
                    self.release_writer(writer, reader.0, index, !dead, out);
                }
            }
            Kind::Taking { reader } => {
                self.perform(op, reader.1, out);
                if let Some(channel) = self.channels.get_mut(&index)
                    && let Some(at) = channel.on_offer.take()
                    && let Some(parcel) = channel.stored.remove(at)
                {
                    self.counts.hand_over(self.id, op.node, &parcel);
                }
                self.stir(index, out);
            }
            Kind::Storing { writer } => {
                self.keep_promise(index);
                let parcel = self.perform(op, writer.1, out);
                self.stored(index, parcel, out);
            }
            Kind::Watching { watcher } => {
                self.perform(op, watcher.1, out);
            }
        }
        Ok(())
    }

    fn is_dead(&self, op: OpId) -> bool {
        self.posts.get(&op).is_none_or(|post| post.leaving == Leaving::Dead)
    }

    fn commit(
        &mut self,
        (op, guard): (OpId, u16),
        channel: u64,
        parcel: Option<Parcel<V>>,
        park: bool,
        out: &mut Out<V, P>,
    ) {
        out.to(op.node, Message::Commit { op: op.seq, guard, channel, parcel, park });
    }

    fn keep_promise(&mut self, index: u64) {
        if let Some(channel) = self.channels.get_mut(&index) {
            channel.promised = channel.promised.saturating_sub(1);
        }
    }

    pub(super) fn refuse(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        match self.forgone.remove(&op) {
            true => Ok(()),
            false => self.refused(op, out),
        }
    }

    /// `op` is over elsewhere: its partner is free again.
    fn refused(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        let pair = self.answered(op, None)?;
        let partner = pair.partner();
        let index = pair.channel;
        if let (Some((other, _)), Phase::Claiming { held: true }) = (partner, pair.phase)
            && !self.is_dead(other)
        {
            #[cfg(test)]
            if self.fault == Fault::ForgetsRelease {
                self.remove(op, out);
                return Ok(());
            }
            out.to(other.node, Message::Release { op: other.seq });
        }
        self.remove(op, out);
        match pair.kind {
            Kind::Taking { .. } => {
                if let Some(channel) = self.channels.get_mut(&index) {
                    channel.on_offer = None;
                }
                self.stir(index, out);
            }
            Kind::Storing { .. } => {
                self.keep_promise(index);
                self.stir(index, out);
            }
            Kind::Meeting { .. } | Kind::Watching { .. } => {}
        }
        if let Some((other, _)) = partner {
            self.freed(other, out);
        }
        Ok(())
    }

    /// An operation has come free: it leaves, or tries again.
    fn freed(&mut self, op: OpId, out: &mut Out<V, P>) {
        match self.posts.get(&op).map(|post| post.leaving) {
            None => {}
            Some(Leaving::Over | Leaving::Dead) => self.remove(op, out),
            Some(Leaving::Withdraws) => {
                self.remove(op, out);
                out.to(op.node, Message::Withdrawn { op: op.seq });
            }
            Some(Leaving::Stays) => {
                #[cfg(test)]
                if self.fault == Fault::ForgetsRematch {
                    return;
                }
                self.retry(op, out);
            }
        }
    }

    /// The lower of two is held: the higher is asked, if it still stands.
    pub(super) fn held(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        let mut pair = self.answered(op, Some(true))?;
        let Some((higher, _)) = pair.partner() else {
            return Ok(());
        };
        if self.posts.get(&higher).is_none_or(|p| p.leaving != Leaving::Stays) {
            out.to(op.node, Message::Release { op: op.seq });
            self.freed(higher, out);
            self.freed(op, out);
            return Ok(());
        }
        pair.asked = higher;
        pair.phase = Phase::Claiming { held: true };
        self.engage(pair.channel, pair.kind, pair.asked, pair.phase, out);
        Ok(())
    }

    pub(super) fn cancel(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        // What is not here has been performed or closed, and its owner told.
        let Some(post) = self.posts.get_mut(&op) else {
            return Ok(());
        };
        // It was over before it was asked, so the answer is known. To wait for it could be long: it comes behind all that its
        // owner has said meanwhile, and the longer offers stand here engaged the more there are to look through.
        let owes = post
            .engaged
            .is_some_and(|name| self.pairs.get(&name).is_some_and(|pair| pair.asked == op));
        if owes && post.multi {
            #[cfg(test)]
            if self.fault == Fault::HearsTwice {
                return self.refused(op, out);
            }
            self.forgone.insert(op);
            return self.refused(op, out);
        }
        let leaving = match post.multi {
            true => Leaving::Over,
            false => Leaving::Withdraws,
        };
        post.leaving = leaving;
        #[cfg(test)]
        if self.fault == Fault::CancelsEngaged {
            post.engaged = None;
        }
        if post.engaged.is_none() {
            self.freed(op, out);
        }
        Ok(())
    }

    pub(super) fn probe(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        match self.posts.get_mut(&op) {
            Some(post) if post.engaged.is_some() => post.probed = true,
            // Also of what is no longer here: its last guard may have closed.
            _ => out.to(op.node, Message::Probed { op: op.seq }),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        if let Some(waiting) = self.extended.remove(&op) {
            self.tell_done(waiting.writer, waiting.guard, waiting.channel, out);
        }
        Ok(())
    }

    /// All pairs that wait for an answer from a dead node get one: it refuses.
    pub(super) fn refuse_for(&mut self, dead: super::NodeId, out: &mut Out<V, P>) {
        self.forgone.retain(|op| op.node != dead);
        let names = self.pairs.keys_of(|_, pair| pair.asked.node == dead);
        let waiting: Vec<OpId> =
            names.iter().filter_map(|name| Some(self.pairs.get(name)?.asked)).collect();
        for op in waiting {
            let refused = self.refused(op, out);
            debug_assert!(refused.is_ok(), "a pair names the question it waits for");
        }
    }
}
