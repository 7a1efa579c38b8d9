//! The home's side (the owning node's): a reader and a writer have met. If the home decides for
//! both, that completes it. Otherwise the home asks, one question at a time, and the pair is
//! undecided until the answer. Invariant: `asked` owes exactly one answer, and nobody else can
//! complete a `held` operation. If its owner withdraws an operation while it is asked, that is the
//! answer. The refusal that is still to come is then ignored (`forgone`).

use serde::{Deserialize, Serialize};

use super::home::{Home, Leaving, WaitingWriter};
use super::{Direction, Message, NodeId, Offer, OpId, Out, Parcel, Token, Wild};

#[cfg(test)]
use super::proof::faults::Fault;

/// The turn of a value that was given before other nodes could reach its channel.
pub(super) const BEFORE: u64 = 1;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) channel: u64,
    pub(super) kind: PairKind,
    pub(super) asked: OpId,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) enum PairKind {
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
    /// An operation that waits for the end of the channel.
    Watching {
        watcher: (OpId, u16),
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Phase {
    /// `asked` is the lower of two operations, to be held.
    Reserving,
    /// `asked` decides. The other operation, if `held`, is reserved.
    Claiming { held: bool },
}

impl Pair {
    /// Returns the other of the two, if there is one.
    pub(super) fn partner(&self) -> Option<(OpId, u16)> {
        match self.kind {
            PairKind::Meeting { reader, writer } if reader.0 == self.asked => Some(writer),
            PairKind::Meeting { reader, .. } => Some(reader),
            _ => None,
        }
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    /// Engages or completes a reader and a writer, both free, that have met on a rendezvous
    /// channel.
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
        let kind = PairKind::Meeting { reader, writer };
        self.engage(channel, kind, asked, phase, out);
    }

    pub(super) fn take_stored(&mut self, op: OpId, guard: u16, index: u64, out: &mut Out<V, P>) {
        let multi = !self.decides(op);
        let Some(channel) = self.channels.get_mut(&index) else {
            return;
        };
        if !multi {
            if let Some(parcel) = channel.take(0) {
                self.perform(op, guard, out);
                self.deliver((op, guard), index, parcel, out);
                self.stir(index, out);
            }
            return;
        }
        channel.on_offer = Some(0);
        let kind = PairKind::Taking { reader: (op, guard) };
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
        let kind = PairKind::Storing { writer: (op, guard) };
        self.engage(index, kind, op, Phase::Claiming { held: false }, out);
    }

    pub(super) fn fire_watcher(&mut self, op: OpId, guard: u16, index: u64, out: &mut Out<V, P>) {
        if self.decides(op) {
            self.perform(op, guard, out);
            self.tell_done(op, guard, index, out);
            return;
        }
        let kind = PairKind::Watching { watcher: (op, guard) };
        self.engage(index, kind, op, Phase::Claiming { held: false }, out);
    }

    pub(super) fn decides(&self, op: OpId) -> bool {
        self.posts.get(&op).is_some_and(|post| !post.multi)
    }

    /// Completes a communication for which the home decides on both sides.
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
        mut parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        self.count(channel, &mut parcel);
        self.hand_over(op.node, channel, &parcel, out);
        out.to(op.node, Message::Done { op: op.seq, guard, channel, parcel: Some(parcel) });
    }

    /// Hands a value of a channel over to a node, without the ends that the node must not have.
    fn hand_over(&mut self, to: NodeId, index: u64, parcel: &Parcel<V>, out: &mut Out<V, P>) {
        self.counts.hand_over(self.id, to, index, parcel);
        self.keep_back(to, parcel, out);
    }

    /// Gives the value its turn, because a reader is given it. One that has come back has its turn already.
    fn count(&mut self, index: u64, parcel: &mut Parcel<V>) {
        if let Some(channel) = self.channels.get_mut(&index)
            && parcel.turn == 0
        {
            channel.turn += 1;
            parcel.turn = channel.turn;
        }
    }

    /// Gives a value its turn, if there is one.
    fn in_turn(&mut self, index: u64, mut parcel: Option<Parcel<V>>) -> Option<Parcel<V>> {
        parcel.iter_mut().for_each(|parcel| self.count(index, parcel));
        parcel
    }

    fn tell_done(&mut self, op: OpId, guard: u16, channel: u64, out: &mut Out<V, P>) {
        out.to(op.node, Message::Done { op: op.seq, guard, channel, parcel: None });
    }

    /// Releases the writer, whose value has been read, or lets it wait for its extended reader to
    /// finish.
    pub(super) fn release_writer(
        &mut self,
        writer: (OpId, u16),
        reader: OpId,
        channel: u64,
        extended: bool,
        out: &mut Out<V, P>,
    ) {
        if extended {
            let waiting = WaitingWriter { writer: writer.0, guard: writer.1, channel };
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

    /// Puts a value back that a node gives back. The ends in a promise that was read have set out anew.
    pub(super) fn given_back(
        &mut self,
        from: NodeId,
        index: u64,
        parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        self.counts.gives_back(index, from);
        self.put_back(index, parcel, out);
        self.stir(index, out);
    }

    /// Stores a value again, because nobody has taken it after all. It comes before all that no reader
    /// was given, and in its turn among those that came back.
    pub(super) fn put_back(&mut self, index: u64, mut parcel: Parcel<V>, out: &mut Out<V, P>) {
        self.counts.take_charge(&parcel, &self.dead);
        // The ends in it are in this home's charge again. Reading ends are known to have come back.
        for token in &parcel.tokens {
            if token.direction == Direction::Read {
                let Token { channel, transit, .. } = *token;
                let message = Message::Returned { channel: channel.index, transit };
                out.to(token.channel.home, message);
            }
        }
        self.count(index, &mut parcel);
        match self.channels.get_mut(&index) {
            Some(channel) => {
                let is_later = |other: &Parcel<V>| other.turn > parcel.turn;
                let back = channel.back;
                let place = channel.stored.iter().take(back).position(is_later).unwrap_or(back);
                channel.stored.insert(place, parcel);
                channel.back += 1;
                if let Some(at) = &mut channel.on_offer
                    && *at >= place
                {
                    *at += 1;
                }
            }
            None => self.counts.destroy(parcel, out),
        }
    }

    fn engage(
        &mut self,
        channel: u64,
        kind: PairKind,
        asked: OpId,
        phase: Phase,
        out: &mut Out<V, P>,
    ) {
        let (name, other) = match kind {
            PairKind::Meeting { reader, writer } => (reader.0, Some(writer.0)),
            PairKind::Taking { reader, .. } => (reader.0, None),
            PairKind::Storing { writer } => (writer.0, None),
            PairKind::Watching { watcher } => (watcher.0, None),
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

    /// Returns what `asked` gets if it takes: the guard, the value, and whether it is to wait for
    /// `Done`.
    fn claimed(&mut self, pair: &Pair) -> (u16, Option<Parcel<V>>, bool) {
        match &pair.kind {
            PairKind::Meeting { reader, writer } if reader.0 == pair.asked => {
                (reader.1, self.in_turn(pair.channel, self.output(*writer).cloned()), false)
            }
            PairKind::Meeting { reader, writer } => (writer.1, None, self.is_extended(*reader)),
            PairKind::Taking { reader } => {
                let offered = self.on_offer(pair.channel).cloned();
                (reader.1, self.in_turn(pair.channel, offered), false)
            }
            PairKind::Storing { writer } => (writer.1, None, false),
            PairKind::Watching { watcher } => (watcher.1, None, false),
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

    /// Removes the pair in which `op` owes an answer, of this kind if it matters, and frees its
    /// operations.
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

    /// Completes the pair: `op` has said yes.
    pub(super) fn take(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        let pair = self.answered(op, Some(false))?;
        let held = pair.phase == Phase::Claiming { held: true };
        let index = pair.channel;
        match pair.kind {
            // The reader has decided, so the writer is performed with it.
            PairKind::Meeting { reader, writer } if reader.0 == op => {
                let extended = self.is_extended(reader);
                let parcel = self.perform(writer.0, writer.1, out);
                self.perform(op, reader.1, out);
                if let Some(parcel) = parcel {
                    self.hand_over(op.node, index, &parcel, out);
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
            // The writer has decided, so the reader is performed with it.
            PairKind::Meeting { reader, writer } => {
                let extended = self.is_extended(reader);
                let dead = self.is_dead(reader.0);
                let parcel = self.perform(writer.0, writer.1, out);
                self.perform(reader.0, reader.1, out);
                match parcel {
                    // The writer was told yes, but its reader is dead: the next reader gets the
                    // value.
                    Some(parcel) if dead => {
                        self.put_back(index, parcel, out);
                        self.stir(index, out);
                    }
                    Some(mut parcel) if held => {
                        self.count(index, &mut parcel);
                        self.hand_over(reader.0.node, index, &parcel, out);
                        self.commit(reader, index, Some(parcel), false, out);
                    }
                    Some(parcel) => self.deliver(reader, index, parcel, out),
                    None => {}
                }
                if extended {
                    self.release_writer(writer, reader.0, index, !dead, out);
                }
            }
            PairKind::Taking { reader } => {
                self.perform(op, reader.1, out);
                if let Some(channel) = self.channels.get_mut(&index)
                    && let Some(at) = channel.on_offer.take()
                    && let Some(parcel) = channel.take(at)
                {
                    self.hand_over(op.node, index, &parcel, out);
                }
                self.stir(index, out);
            }
            PairKind::Storing { writer } => {
                self.keep_promise(index);
                let parcel = self.perform(op, writer.1, out);
                self.stored(index, parcel, out);
            }
            PairKind::Watching { watcher } => {
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

    /// Handles the refusal of `op`, which is over elsewhere: its partner is free again.
    fn refused(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        let pair = self.answered(op, None)?;
        let partner = pair.partner();
        let index = pair.channel;
        // A partner that was held is released.
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
        // The place or the value that was promised to it is free again.
        match pair.kind {
            PairKind::Taking { .. } => {
                if let Some(channel) = self.channels.get_mut(&index) {
                    channel.on_offer = None;
                }
                self.stir(index, out);
            }
            PairKind::Storing { .. } => {
                self.keep_promise(index);
                self.stir(index, out);
            }
            PairKind::Meeting { .. } | PairKind::Watching { .. } => {}
        }
        if let Some((other, _)) = partner {
            self.freed(other, out);
        }
        Ok(())
    }

    /// Handles an operation that is free again: it leaves, or tries again.
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

    /// Handles the reservation of the lower of two: the higher is asked, if it still stands.
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
        // An operation that is not here has been performed or closed, and its owner was told.
        let Some(post) = self.posts.get_mut(&op) else {
            return Ok(());
        };
        // It was over before it was asked, so the answer is known. Waiting for the answer could
        // take long, because it comes behind all other messages of the owner. The longer offers
        // stand here engaged, the more there are to look through.
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
        let before = std::mem::replace(&mut post.leaving, leaving);
        #[cfg(test)]
        if self.fault == Fault::CancelsEngaged {
            post.engaged = None;
        }
        let is_free = post.engaged.is_none();
        if leaving == Leaving::Over && before != Leaving::Over {
            self.count_out(op);
        }
        if is_free {
            self.freed(op, out);
        }
        Ok(())
    }

    pub(super) fn probe(&mut self, op: OpId, out: &mut Out<V, P>) -> Result<(), Wild> {
        match self.posts.get_mut(&op) {
            Some(post) if post.engaged.is_some() => post.probed = true,
            // This also answers about an operation that is no longer here, because its last guard
            // may have closed.
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

    /// Answers for a dead node: every pair that waits for its answer gets a refusal.
    pub(super) fn refuse_for(&mut self, dead: NodeId, out: &mut Out<V, P>) {
        self.forgone.retain(|op| op.node != dead);
        let names = self.pairs.keys_of(|_, pair| pair.asked.node == dead);
        let waiting: Vec<OpId> =
            names.iter().filter_map(|name| Some(self.pairs.get(name)?.asked)).collect();
        for op in waiting {
            // A pair names the question that it waits for, so this is no error.
            let _ = self.refused(op, out);
        }
    }
}
