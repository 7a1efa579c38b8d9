//! The owner's side: operations of this node's processes. A home (the owning node of channels)
//! decides the operations whose guards all stand there. All others are decided here. Invariant: an
//! operation completes once, here, and every `Claim` or `Reserve` is answered once.

use std::collections::{BTreeSet, VecDeque};

use super::ends::Ends;
use super::table::Table;
use super::{
    ChannelId, Ending, Event, Few, Kind, Message, NodeId, Offer, OpId, Out, Outcome, Parcel,
    Standing, Wild,
};
use crate::report::termination::Fate;

#[cfg(test)]
use super::proof::faults::Fault;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Owner<V, P> {
    pub(super) id: NodeId,
    pub(super) next: u64,
    pub(super) ops: Table<u64, Op<V, P>>,
    /// No process of this node goes on: questions are refused, and given values go back.
    pub(super) gone: bool,
    pub(super) ends: Ends,
    #[cfg(test)]
    pub(super) fault: Fault,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Op<V, P> {
    /// The guards that can still be performed.
    pub(super) guards: Few<Option<Standing>>,
    pub(super) multi: bool,
    /// Its process has other guards, and the gate asks it.
    mixed: bool,
    pub(super) state: OpState<V>,
    /// Its process withdraws it, as soon as that is possible.
    withdrawing: bool,
    /// It has failed, and ends as soon as the home that holds it lets go.
    pub(super) failing: Option<(u16, Ending<P>)>,
    /// Homes that have yet to say that nothing can be performed now.
    pub(super) probes: Vec<NodeId>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum OpState<V> {
    Open,
    /// A home decides about it, for a pair whose other half that home asks. Questions of other
    /// homes wait meanwhile.
    Reserved {
        home: NodeId,
        queue: VecDeque<Query<V>>,
    },
    /// It was performed. Its process waits for the end of an extended rendezvous.
    Parked {
        home: NodeId,
        guard: u16,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Query<V> {
    pub(super) home: NodeId,
    /// `None`: it is to be reserved.
    claim: Option<Claim<V>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Claim<V> {
    pub(super) guard: u16,
    pub(super) parcel: Option<Parcel<V>>,
    pub(super) park: bool,
}

impl<V, P> Op<V, P> {
    /// Returns the homes at which it stands, each once.
    fn homes(&self) -> Vec<NodeId> {
        let mut homes: Vec<NodeId> = Vec::new();
        for Standing { home, .. } in self.guards.iter().flatten() {
            if !homes.contains(home) {
                homes.push(*home);
            }
        }
        homes
    }

    pub(super) fn leave(&mut self, home: NodeId) {
        for guard in &mut self.guards {
            if guard.is_some_and(|guard| guard.home == home) {
                *guard = None;
            }
        }
    }
}

impl<V: Clone, P: Clone> Owner<V, P> {
    pub(super) fn new(id: NodeId) -> Self {
        Owner {
            id,
            next: 0,
            ops: Table::default(),
            gone: false,
            ends: Ends::new(id),
            #[cfg(test)]
            fault: Fault::None,
        }
    }

    pub(super) fn next(&self) -> OpId {
        OpId { node: self.id, seq: self.next }
    }

    pub(super) fn begin(
        &mut self,
        mut offers: Few<(u16, Offer<V>)>,
        mixed: bool,
        is_dead: impl Fn(NodeId) -> bool,
        had_retired: impl Fn(ChannelId) -> bool,
        out: &mut Out<V, P>,
    ) -> OpId {
        let seq = self.next;
        self.next += 1;
        let home = |(_, offer): &(u16, Offer<V>)| offer.channel().home;
        let op = Op {
            guards: offers.iter().map(|(_, offer)| Some(Standing::of(offer))).collect(),
            multi: false,
            mixed,
            state: OpState::Open,
            withdrawing: false,
            failing: None,
            probes: Vec::new(),
        };
        let id = OpId { node: self.id, seq };
        // The common case: one living home, which decides.
        let first = offers.first().map(home);
        if let Some(first) = first
            && !mixed
            && !is_dead(first)
            && offers.iter().all(|offer| home(offer) == first)
        {
            self.ops.insert(seq, op);
            out.to(first, Message::Post { op: seq, multi: false, guards: offers });
            return id;
        }
        self.ops.insert(seq, op);
        // A dead home: the operation ends, unless that channel had retired before.
        let gone = |offer: &(u16, Offer<V>)| is_dead(home(offer));
        let lost = |offer: &(u16, Offer<V>)| gone(offer) && !had_retired(offer.1.channel());
        if let Some(at) = offers.iter().position(lost) {
            let ending = Ending::Lost(home(&offers[at]));
            for (_, offer) in offers {
                if let Offer::Write { parcel, .. } = offer {
                    parcel.destroy(out);
                }
            }
            let (guard, fate) = (at as u16, Fate::Returned);
            self.conclude(seq, Outcome::Ended { guard, ending, fate }, None, out);
            return id;
        }
        // Guards at retired channels of dead homes are closed here.
        if offers.iter().any(gone) {
            let (over, rest): (Vec<_>, Vec<_>) = offers.into_iter().partition(gone);
            if self.begin_closed(id, mixed, over, out) {
                for (_, offer) in rest {
                    if let Offer::Write { parcel, .. } = offer {
                        parcel.destroy(out);
                    }
                }
                return id;
            }
            offers = rest.into_iter().collect();
        }
        // The rest is posted, once for each home.
        let Some(op) = self.ops.get_mut(&seq) else { return id };
        let homes = op.homes();
        let multi = mixed || homes.len() > 1;
        op.multi = multi;
        for at in homes {
            let guards = match &mut offers {
                Few::Many(offers) if multi => {
                    offers.extract_if(.., |offer| home(offer) == at).collect()
                }
                offers => std::mem::take(offers),
            };
            let op = seq;
            out.to(at, Message::Post { op, multi, guards });
        }
        id
    }

    /// Closes guards at channels that had retired before their home ended. Returns whether the
    /// operation is over by that.
    #[cold]
    fn begin_closed(
        &mut self,
        id: OpId,
        mixed: bool,
        over: Vec<(u16, Offer<V>)>,
        out: &mut Out<V, P>,
    ) -> bool {
        // The guards no longer stand. Their values are destroyed.
        let mut watcher = None;
        for (guard, offer) in over {
            let op = self.ops.get_mut(&id.seq);
            if let Some(standing) = op.and_then(|op| op.guards.get_mut(usize::from(guard))) {
                *standing = None;
            }
            match offer {
                Offer::Write { parcel, .. } => parcel.destroy(out),
                Offer::Retired { .. } => watcher = watcher.or(Some(guard)),
                Offer::Read { .. } => {}
            }
        }
        // A guard that waited for the retirement is performed, if its process is still to be had.
        if let Some(guard) = watcher
            && (!mixed || (out.gate)(id, Some(guard)))
        {
            self.complete(id.seq, guard, None, out);
            return true;
        }
        // Otherwise the operation ends if this was its last guard.
        let left = |op: &Op<V, P>| op.guards.iter().any(Option::is_some);
        if self.ops.get(&id.seq).is_some_and(left) {
            return false;
        }
        let (ending, fate) = (Ending::Retired, Fate::Returned);
        self.finish(id.seq, Outcome::Ended { guard: 0, ending, fate }, out);
        true
    }

    /// Answers a message that an ended home had not read as that home would have answered it.
    pub(super) fn unheard(
        &mut self,
        home: NodeId,
        message: &Message<V, P>,
        had_retired: impl Fn(ChannelId) -> bool,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let Message::Post { op, guards, .. } = message else { return Ok(()) };
        let id = OpId { node: self.id, seq: *op };
        for (guard, offer) in guards.iter().filter(|(_, offer)| had_retired(offer.channel())) {
            let open = self.ops.get(op).filter(|op| matches!(op.state, OpState::Open));
            let watches = open.filter(|op| op.kind(*guard, home) == Some(Kind::Retired));
            if let (Offer::Retired { .. }, Some(mixed)) = (offer, watches.map(|op| op.mixed))
                && (!mixed || (out.gate)(id, Some(*guard)))
            {
                let claim = Claim { guard: *guard, parcel: None, park: false };
                self.perform(id.seq, home, claim, out);
                return Ok(());
            }
            self.closed(id, home, *guard, Ending::Retired, out)?;
        }
        Ok(())
    }

    pub(super) fn withdraw(&mut self, id: OpId, out: &mut Out<V, P>) {
        let Some(op) = self.ops.get_mut(&id.seq) else {
            return;
        };
        if std::mem::replace(&mut op.withdrawing, true) {
            return;
        }
        if op.multi && matches!(op.state, OpState::Open) {
            self.conclude(id.seq, Outcome::Withdrawn, None, out);
        } else if !op.multi {
            for home in op.homes() {
                out.to(home, Message::Cancel { op: id.seq });
            }
        }
    }

    /// Records that no process of this node goes on. Returns the homes that are to be told: those
    /// where it has offered, or held ends.
    pub(super) fn leave(&mut self, out: &mut Out<V, P>) -> BTreeSet<NodeId> {
        self.gone = true;
        let mut homes = self.ends.homes();
        for seq in self.ops.keys_of(|_, _| true) {
            let Some(op) = self.ops.remove(&seq) else { continue };
            homes.extend(op.homes());
            // Every home that waits for an answer gets it. Later questions are refused as well.
            if let OpState::Reserved { queue, .. } = op.state {
                queue.iter().for_each(|query| out.to(query.home, Message::Refuse { op: seq }));
            }
        }
        self.ends.forget();
        homes.remove(&self.id);
        homes
    }

    pub(super) fn probe(&mut self, id: OpId, out: &mut Out<V, P>) {
        let Some(op) = self.ops.get_mut(&id.seq) else {
            return;
        };
        // The home handles the `Post` before the messages behind it, so it has tried by then.
        if !op.multi {
            return self.withdraw(id, out);
        }
        let homes = op.homes();
        for home in &homes {
            out.to(*home, Message::Probe { op: id.seq });
        }
        op.probes = homes;
    }

    pub(super) fn probed(&mut self, id: OpId, from: NodeId, out: &mut Out<V, P>) {
        if let Some(op) = self.ops.get_mut(&id.seq)
            && let Some(at) = op.probes.iter().position(|home| *home == from)
        {
            op.probes.swap_remove(at);
            if op.probes.is_empty() {
                self.withdraw(id, out);
            }
        }
    }

    pub(super) fn done(
        &mut self,
        id: OpId,
        from: NodeId,
        guard: u16,
        parcel: Option<Parcel<V>>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        // Messages of others were judged.
        if from == self.id && !self.stands(id.seq, guard, from)?.may_be_done(guard) {
            return Err(Wild("done, but not by its home"));
        }
        self.complete(id.seq, guard, parcel, out);
        Ok(())
    }

    pub(super) fn withdrawn(
        &mut self,
        id: OpId,
        from: NodeId,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let op = self.ops.get(&id.seq).ok_or(Wild("withdrawn twice"))?;
        if op.multi || !op.withdrawing || !op.is_at(from) {
            return Err(Wild("withdrawn, but not by its owner"));
        }
        self.finish(id.seq, Outcome::Withdrawn, out);
        Ok(())
    }

    pub(super) fn closed(
        &mut self,
        id: OpId,
        from: NodeId,
        guard: u16,
        ending: Ending<P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let Some(op) = self.ops.get_mut(&id.seq) else {
            return Ok(());
        };
        if op.kind(guard, from).is_none() {
            return Err(Wild("a guard closed that does not stand there"));
        }
        // A retired channel closes one guard. Every other ending fails the operation.
        match ending {
            Ending::Retired => {
                op.guards[usize::from(guard)] = None;
                if op.guards.iter().all(Option::is_none) {
                    let fate = Fate::Returned;
                    self.finish(id.seq, Outcome::Ended { guard, ending, fate }, out);
                }
            }
            Ending::Poisoned(_) | Ending::Lost(_) => {
                op.leave(from);
                self.fail(id.seq, guard, ending, Fate::Returned, out);
            }
        }
        Ok(())
    }

    pub(super) fn fail(
        &mut self,
        seq: u64,
        guard: u16,
        ending: Ending<P>,
        fate: Fate,
        out: &mut Out<V, P>,
    ) {
        let Some(op) = self.ops.get_mut(&seq) else {
            return;
        };
        let reserved = matches!(op.state, OpState::Reserved { .. });
        #[cfg(test)]
        let reserved = reserved && self.fault != Fault::FailsReserved;
        match &op.state {
            // The home that holds it may be about to commit it.
            _ if reserved => {
                op.failing.get_or_insert((guard, ending));
            }
            OpState::Parked { .. } => {}
            _ => self.conclude(seq, Outcome::Ended { guard, ending, fate }, None, out),
        }
    }

    pub(super) fn claim(
        &mut self,
        id: OpId,
        from: NodeId,
        claim: Claim<V>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        self.query(id.seq, Query { home: from, claim: Some(claim) }, out)
    }

    pub(super) fn reserve(
        &mut self,
        id: OpId,
        from: NodeId,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        self.query(id.seq, Query { home: from, claim: None }, out)
    }

    fn query(&mut self, seq: u64, query: Query<V>, out: &mut Out<V, P>) -> Result<(), Wild> {
        let Some(op) = self.ops.get_mut(&seq) else {
            out.to(query.home, Message::Refuse { op: seq });
            return Ok(());
        };
        // Did the owner post this there?
        let stands = match &query.claim {
            Some(claim) => op.kind(claim.guard, query.home).is_some(),
            None => op.is_at(query.home),
        };
        if !stands || !op.multi {
            return Err(Wild("a question about a guard that does not stand there"));
        }
        // A free operation answers at once, one that is held answers later, and a performed one
        // refuses.
        let id = OpId { node: self.id, seq };
        let guard = query.claim.as_ref().map(|claim| claim.guard);
        match &mut op.state {
            OpState::Open if op.mixed && !(out.gate)(id, guard) => {
                out.to(query.home, Message::Refuse { op: seq });
            }
            OpState::Open => self.answer(seq, query, out),
            #[cfg(test)]
            OpState::Reserved { .. } if self.fault == Fault::AnswersReserved => {
                self.answer(seq, query, out);
            }
            OpState::Reserved { queue, .. } => queue.push_back(query),
            OpState::Parked { .. } => out.to(query.home, Message::Refuse { op: seq }),
        }
        Ok(())
    }

    /// Answers the first question to an open operation.
    fn answer(&mut self, seq: u64, query: Query<V>, out: &mut Out<V, P>) {
        let home = query.home;
        match query.claim {
            Some(claim) => {
                out.to(home, Message::Take { op: seq });
                self.perform(seq, home, claim, out);
            }
            None => {
                if let Some(op) = self.ops.get_mut(&seq) {
                    let queue = VecDeque::new();
                    op.state = OpState::Reserved { home, queue };
                }
                out.to(home, Message::Held { op: seq });
            }
        }
    }

    /// Performs the operation at `home`, and tells the others.
    fn perform(&mut self, seq: u64, home: NodeId, claim: Claim<V>, out: &mut Out<V, P>) {
        self.forsake(seq, Some(home), out);
        if claim.park {
            if let Some(op) = self.ops.get_mut(&seq) {
                let guard = claim.guard;
                op.state = OpState::Parked { home, guard };
            }
        } else {
            self.complete(seq, claim.guard, claim.parcel, out);
        }
    }

    pub(super) fn commit(
        &mut self,
        id: OpId,
        from: NodeId,
        claim: Claim<V>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let op = self.stands(id.seq, claim.guard, from)?;
        if !op.is_held_by(from) {
            return Err(Wild("a commit of an operation that is not held"));
        }
        self.perform(id.seq, from, claim, out);
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        id: OpId,
        from: NodeId,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let op = self.ops.get_mut(&id.seq);
        let op = op.ok_or(Wild("a release of an operation that is over"))?;
        let queue = match &mut op.state {
            OpState::Reserved { home, queue } if *home == from => std::mem::take(queue),
            _ => return Err(Wild("a release of an operation that is not held")),
        };
        self.reopen(id.seq, queue, Fate::Returned, out);
        Ok(())
    }

    /// Ends a reservation. The failure, withdrawal or questions that have waited for that are
    /// handled, in their order. The fate is that of a value which the home that held it may have given
    /// away.
    pub(super) fn reopen(
        &mut self,
        seq: u64,
        mut queue: VecDeque<Query<V>>,
        fate: Fate,
        out: &mut Out<V, P>,
    ) {
        let Some(op) = self.ops.get_mut(&seq) else { return };
        // A failure or a withdrawal comes before the questions.
        let over = match (op.failing.take(), op.withdrawing) {
            (Some((guard, ending)), _) => Some(Outcome::Ended { guard, ending, fate }),
            (None, true) => Some(Outcome::Withdrawn),
            (None, false) if op.mixed && !out.lets_stand(self.id, seq, &queue) => {
                Some(Outcome::Released)
            }
            (None, false) => None,
        };
        if let Some(outcome) = over {
            // `forsake` answers the queue from this state.
            op.state = OpState::Reserved { home: self.id, queue };
            return self.conclude(seq, outcome, None, out);
        }
        op.state = OpState::Open;
        let Some(first) = queue.pop_front() else {
            return;
        };
        // `forsake` answers the rest of the queue if the first question takes the operation.
        // Otherwise the rest goes on waiting.
        if first.claim.is_some() {
            op.state = OpState::Reserved { home: first.home, queue };
            self.answer(seq, first, out);
        } else {
            self.answer(seq, first, out);
            if let Some(op) = self.ops.get_mut(&seq)
                && let OpState::Reserved { queue: rest, .. } = &mut op.state
            {
                *rest = queue;
            }
        }
    }

    /// Tells every home that still counts on the operation, except `except`, that it is over.
    fn forsake(&mut self, seq: u64, except: Option<NodeId>, out: &mut Out<V, P>) {
        let Some(op) = self.ops.get_mut(&seq) else {
            return;
        };
        let asked: Vec<NodeId> = match &op.state {
            OpState::Reserved { queue, .. } => queue.iter().map(|query| query.home).collect(),
            OpState::Open | OpState::Parked { .. } => Vec::new(),
        };
        for home in &asked {
            out.to(*home, Message::Refuse { op: seq });
        }
        if op.multi {
            for home in op.homes() {
                if except != Some(home) && !asked.contains(&home) {
                    out.to(home, Message::Cancel { op: seq });
                }
            }
        }
    }

    fn conclude(
        &mut self,
        seq: u64,
        outcome: Outcome<V, P>,
        except: Option<NodeId>,
        out: &mut Out<V, P>,
    ) {
        self.forsake(seq, except, out);
        self.finish(seq, outcome, out);
    }

    pub(super) fn complete(
        &mut self,
        seq: u64,
        guard: u16,
        parcel: Option<Parcel<V>>,
        out: &mut Out<V, P>,
    ) {
        // This comes after `Take`: a home that has not heard of it must not count these ends as
        // lost with the value.
        for token in parcel.iter().flat_map(|parcel| &parcel.tokens) {
            self.ends.arrive(*token, out);
        }
        self.finish(seq, Outcome::Done { guard, parcel }, out);
    }

    fn finish(&mut self, seq: u64, outcome: Outcome<V, P>, out: &mut Out<V, P>) {
        if self.ops.remove(&seq).is_some() {
            let op = OpId { node: self.id, seq };
            out.events.push(Event { op, outcome });
        }
    }

    fn stands(&self, seq: u64, guard: u16, home: NodeId) -> Result<&Op<V, P>, Wild> {
        let op = self.ops.get(&seq).ok_or(Wild("about an operation that is over"))?;
        op.kind(guard, home).ok_or(Wild("about a guard that does not stand there"))?;
        Ok(op)
    }
}
