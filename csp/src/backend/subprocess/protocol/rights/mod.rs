//! Floor 5. Each message of another node is judged here before it is handled. A node may
//! speak of its own operations, of ends that it holds or that were given to it, and of operations that
//! stand at it. A message that says more is an error of its author.
//!
//! A message may speak of an end that has set out, by another way, and is not known here yet. It then
//! waits for the news, and so do all later messages of its sender. Such news was sent before, so no
//! two nodes wait for each other.

#[cfg(feature = "address")]
pub(super) mod crossing;
#[cfg(not(feature = "address"))]
#[path = "uncrossed.rs"]
mod crossing;
pub(super) mod dead;
mod deaths;
pub(super) mod nowhere;
mod sound;
pub(super) mod void;
pub(super) mod waiting;

use std::collections::BTreeSet;

use self::nowhere::VOID;
use self::void::Journey;
use self::waiting::MOST;
use super::counts::Counts;
use super::home::Home;
use super::owner::{Op, OpState};
use super::{
    Direction, Ending, Kind, Machine, Message, NodeId, Offer, Out, Parcel, Token, TransitId, Wild,
};

/// The answer to a message that breaks no rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Right {
    Given,
    /// The news of a journey is to come first.
    Awaited,
    /// It speaks of an end that was never given to its sender. Somebody else may have made the sender
    /// believe that, so it is no error. Such an end is void: it is as of a channel that has retired.
    Void,
}

impl<V: Clone, P: Clone> Machine<V, P> {
    /// Handles a message from another node.
    pub(crate) fn handle(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if self.is_dead(from) || self.shunned.contains(&from) {
            return Ok(());
        }
        if self.home.waiting.is_empty() {
            let result = match self.judge(from, &message)? {
                Right::Given => self.dispatch(from, message, out),
                Right::Awaited => return self.home.waiting.push(from, message),
                Right::Void => self.void(from, message, out),
            };
            self.settle(out);
            return result;
        }
        self.hear_waiting(from, message, out)
    }

    /// Hears nothing more of a node that has broken the rules. Its death will be told.
    pub(crate) fn ignore(&mut self, node: NodeId) {
        self.shunned.insert(node, ());
        self.home.waiting.queues.remove(&node);
    }

    /// Hears nothing more of a node that has broken the rules, and waits for it no longer. Nobody here
    /// can end that node, so it is dead for this node only. Its offers and ends here are given up. An
    /// end on its way to it or from it, which others may know of, stays counted until its death.
    pub(crate) fn shun(&mut self, node: NodeId, out: &mut Out<V, P>) {
        self.ignore(node);
        self.home.drop_offers(node, out);
        self.home.refuse_for(node, out);
        self.home.finish_all(node, out);
        self.home.drop_rows(node, true, out);
        self.settle(out);
        self.owner.lost(node, &[], out);
        self.settle(out);
    }

    /// Judges a message of another node.
    #[inline]
    pub(super) fn judge(&self, from: NodeId, message: &Message<V, P>) -> Result<Right, Wild> {
        match message {
            Message::Post { guards, .. } => self.home.may_post(from, guards),
            Message::Done { op, guard, parcel, .. } => {
                self.may_answer(from, *op, *guard, parcel, false)
            }
            message => self.judge_others(from, message),
        }
    }

    fn judge_others(&self, from: NodeId, message: &Message<V, P>) -> Result<Right, Wild> {
        let home = &self.home;
        let given = |is_right, wrong| if is_right { Ok(Right::Given) } else { Err(Wild(wrong)) };
        match message {
            Message::Post { .. } | Message::Done { .. } => self.judge(from, message),
            // About the sender's own operations, which have its name. An answer to no question is an
            // error where it is handled.
            Message::Take { .. }
            | Message::Refuse { .. }
            | Message::Held { .. }
            | Message::Cancel { .. }
            | Message::Probe { .. }
            | Message::Finish { .. }
            | Message::Leaves => Ok(Right::Given),
            // About this node's operations.
            Message::Commit { op, guard, parcel, .. } => {
                self.may_answer(from, *op, *guard, parcel, true)
            }
            Message::Claim { op, guard, parcel, park, .. } => {
                let Some(of) = self.owner.ops.get(op) else { return Ok(Right::Given) };
                let kind = of.kind(*guard, from);
                if of.is_asked_by(from) || (*park && kind != Some(Kind::Write)) {
                    return Err(Wild("a question that is open already, or that nobody asks"));
                }
                self.may_give(from, kind, parcel)
            }
            Message::Reserve { op } => {
                let open = self.owner.ops.get(op).is_some_and(|of| of.is_asked_by(from));
                given(!open, "a question that is open already")
            }
            Message::Probed { op } => {
                let of = self.owner.ops.get(op);
                given(of.is_none_or(|of| of.is_probed_by(from)), "an answer to no question")
            }
            // The guard, the withdrawal and the reservation are compared where they are handled.
            Message::Closed { .. } | Message::Withdrawn { .. } | Message::Release { .. } => {
                Ok(Right::Given)
            }
            // About ends that the sender holds. How many it has is compared where they retire.
            Message::Retire { channel, direction, .. } => {
                home.may_use(from, *channel, Some(*direction)).map(|_| Right::Given)
            }
            Message::Poison { channel, .. } => home.may_use(from, *channel, None),
            Message::MoveOut { channel, direction, transit, .. } => {
                if transit.origin != from || transit.seq < home.counts.next_journey(from) {
                    return Err(Wild("an end sent out in another's name, or twice"));
                }
                home.may_use(from, *channel, Some(*direction))
            }
            // About ends on their way.
            Message::MoveIn { channel, direction, transit } => {
                Ok(home.may_arrive(from, *channel, *direction, *transit))
            }
            Message::Drop { channel, transit } => Ok(home.may_drop(from, *channel, *transit)),
            Message::Returned { channel, transit } => {
                let read = (*channel, Direction::Read);
                match home.counts.transit(*transit) {
                    Some(row) if (row.channel, row.direction) == read && row.via == from => {
                        Ok(Right::Given)
                    }
                    Some(_) => Ok(Right::Void),
                    None => Ok(home.unless_early(from, *transit)),
                }
            }
            Message::Settled { transit } => {
                match home.counts.charge(*transit).is_none_or(|charge| charge.home == from) {
                    true => Ok(Right::Given),
                    false => Ok(Right::Void),
                }
            }
            Message::Ask { transit, dead } => {
                let may_ask = transit.origin == *dead && home.may_state(from);
                given(may_ask, "a question about another's end")
            }
            Message::Gone { transit, .. } => match home.counts.transit(*transit) {
                _ if !home.may_state(from) => Err(Wild("too much about nodes that are not dead")),
                Some(row) if row.via == from => Ok(Right::Given),
                Some(_) => Ok(Right::Void),
                None => Ok(home.unless_early(from, *transit)),
            },
            Message::Back { channel, parcel } => {
                home.may_give_back(from, *channel, parcel).map(|()| Right::Given)
            }
        }
    }

    /// Judges the end of an operation that stands at `from`, or of one that `from` holds.
    #[inline]
    fn may_answer(
        &self,
        from: NodeId,
        op: u64,
        guard: u16,
        parcel: &Option<Parcel<V>>,
        commits: bool,
    ) -> Result<Right, Wild> {
        // The processes have ended, so it goes back to the sender.
        if self.owner.gone {
            return Ok(Right::Given);
        }
        let of = self.owner.ops.get(&op).ok_or(Wild("about an operation that is over"))?;
        let may = if commits { of.is_held_by(from) } else { of.may_be_done(guard) };
        if !may {
            return Err(Wild("the end of an operation that others decide about"));
        }
        self.may_give(from, of.kind(guard, from), parcel)
    }

    /// Judges what a guard of this kind is given: a value, if it reads.
    #[inline]
    fn may_give(
        &self,
        from: NodeId,
        kind: Option<Kind>,
        parcel: &Option<Parcel<V>>,
    ) -> Result<Right, Wild> {
        let kind = kind.ok_or(Wild("about a guard that does not stand there"))?;
        if parcel.is_some() != (kind == Kind::Read) {
            return Err(Wild("a value for a guard that takes none, or none for one that does"));
        }
        let mut right = Right::Given;
        for token in parcel.iter().flat_map(|parcel| &parcel.tokens) {
            match self.home.may_come(from, token) {
                Right::Given => {}
                Right::Awaited => return Ok(Right::Awaited),
                Right::Void => right = Right::Void,
            }
        }
        Ok(right)
    }

    /// Handles a message about ends that are void.
    #[cold]
    pub(super) fn void(
        &mut self,
        from: NodeId,
        mut message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        match &mut message {
            Message::MoveIn { channel, direction, .. } => {
                return self.home.counts.voids.add(from, (*channel, *direction));
            }
            Message::MoveOut { channel, direction, transit, .. } => {
                self.home.counts.void_journey(from, (*channel, *direction), *transit);
                return Ok(());
            }
            // Its guards at void ends are closed.
            Message::Post { op, guards, .. } => {
                let all = std::mem::take(guards);
                for (guard, offer) in all {
                    if self.home.may_offer(from, &offer)? == Right::Given {
                        guards.push((guard, offer));
                        continue;
                    }
                    out.to(from, Message::Closed { op: *op, guard, ending: Ending::Retired });
                    if let Offer::Write { parcel, .. } = offer {
                        parcel.destroy(out);
                    }
                }
                if guards.is_empty() {
                    return Ok(());
                }
            }
            // The value comes, with ends of a channel that has retired.
            Message::Done { parcel, .. }
            | Message::Commit { parcel, .. }
            | Message::Claim { parcel, .. } => {
                for token in parcel.iter_mut().flat_map(|parcel| &mut parcel.tokens) {
                    if self.home.may_come(from, token) == Right::Void {
                        token.channel.index = VOID;
                        token.transit = TransitId { origin: self.id, seq: VOID, key: 0 };
                    }
                }
            }
            _ => return Ok(()),
        }
        self.dispatch(from, message, out)
    }

    /// Handles a message while messages of some nodes wait.
    #[cold]
    pub(super) fn hear_waiting(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if self.home.waiting.queues.contains_key(&from) {
            return self.home.waiting.push(from, message);
        }
        // Only the news of a journey, or a death, ends a wait.
        let is_news = matches!(message, Message::MoveOut { .. });
        let result = match self.judge(from, &message)? {
            Right::Awaited => return self.home.waiting.push(from, message),
            Right::Void => self.void(from, message, out),
            Right::Given => self.dispatch(from, message, out),
        };
        self.settle(out);
        if is_news {
            self.release(out);
        }
        result
    }

    /// Handles the waiting messages that need to wait no longer.
    #[cold]
    pub(super) fn release(&mut self, out: &mut Out<V, P>) {
        let mut heard = true;
        while std::mem::take(&mut heard) {
            let nodes: Vec<NodeId> = self.home.waiting.queues.keys().copied().collect();
            for node in nodes {
                heard |= self.release_of(node, out);
            }
        }
    }

    /// Returns whether a message was handled.
    fn release_of(&mut self, node: NodeId, out: &mut Out<V, P>) -> bool {
        let mut queue = self.home.waiting.queues.remove(&node).unwrap_or_default();
        let mut heard = false;
        while let Some(message) = queue.pop_front() {
            let handled = match self.judge(node, &message) {
                Ok(Right::Awaited) => {
                    queue.push_front(message);
                    self.home.waiting.queues.insert(node, queue);
                    return heard;
                }
                Ok(Right::Given) => self.dispatch(node, message, out),
                Ok(Right::Void) => self.void(node, message, out),
                Err(wild) => Err(wild),
            };
            self.settle(out);
            heard = true;
            if let Err(wild) = handled {
                out.broken.push((node, wild));
                break;
            }
        }
        heard
    }

    /// Handles the waiting messages of a node that is dead. The news that one of them waits for may
    /// still come, and other nodes may count on the rest.
    #[cold]
    pub(super) fn hear_dying(&mut self, node: NodeId, out: &mut Out<V, P>) {
        for message in self.home.waiting.queues.remove(&node).unwrap_or_default() {
            let message = match (self.judge(node, &message), message) {
                // The end has arrived there, and is lost there.
                (Ok(Right::Awaited), Message::MoveIn { channel, transit, .. }) => {
                    Message::Drop { channel, transit }
                }
                (Ok(Right::Void), message) => {
                    let _ = self.void(node, message, out);
                    self.settle(out);
                    continue;
                }
                (Ok(_), message) => message,
                (Err(_), Message::MoveOut { channel, direction, transit, .. }) => {
                    self.home.counts.give_up(transit, channel, direction);
                    continue;
                }
                (Err(_), _) => continue,
            };
            // An error is the dead node's own.
            let _ = self.dispatch(node, message, out);
            self.settle(out);
        }
    }
}

impl<V, P> Op<V, P> {
    /// Returns the kind of this guard, if it stands at that home.
    #[inline]
    pub(super) fn kind(&self, guard: u16, home: NodeId) -> Option<Kind> {
        let standing = (*self.guards.get(usize::from(guard))?)?;
        (standing.home == home).then_some(standing.kind)
    }

    pub(super) fn is_at(&self, home: NodeId) -> bool {
        self.guards.iter().flatten().any(|standing| standing.home == home)
    }

    /// Returns whether its home may say that this guard has communicated.
    #[inline]
    pub(super) fn may_be_done(&self, guard: u16) -> bool {
        match self.state {
            OpState::Open => !self.multi,
            OpState::Parked { guard: parked, .. } => guard == parked,
            OpState::Reserved { .. } => false,
        }
    }

    pub(super) fn is_held_by(&self, by: NodeId) -> bool {
        matches!(self.state, OpState::Reserved { home, .. } if home == by)
    }

    /// Returns whether a question of this home is open.
    pub(super) fn is_asked_by(&self, by: NodeId) -> bool {
        match &self.state {
            OpState::Reserved { home, queue } => {
                *home == by || queue.iter().any(|query| query.home == by)
            }
            OpState::Open | OpState::Parked { .. } => false,
        }
    }

    pub(super) fn is_probed_by(&self, by: NodeId) -> bool {
        self.probes.contains(&by)
    }
}

impl Counts {
    /// Records that a void end has set out, and will be void where it arrives.
    fn void_journey(&mut self, from: NodeId, end: (u64, Direction), transit: TransitId) {
        self.seen.insert(from, transit.seq.saturating_add(1));
        self.given_up.insert(transit, (end, Journey::Void));
    }
}

impl<V: Clone, P: Clone> Home<V, P> {
    /// Judges whether the node holds an end of the channel: of this direction, or of any. A channel
    /// that is forgotten has retired, and nothing that is said of it has an effect.
    #[inline]
    fn may_use(
        &self,
        from: NodeId,
        channel: u64,
        direction: Option<Direction>,
    ) -> Result<Right, Wild> {
        match self.counts.holds(channel, from, direction) {
            Some(true) => Ok(Right::Given),
            None if channel < self.next || self.is_nowhere(channel) => Ok(Right::Given),
            _ if self.counts.voids.holds(from, channel, direction) => Ok(Right::Void),
            _ => Err(Wild("the use of a channel end that it does not hold")),
        }
    }

    #[inline]
    fn may_offer(&self, from: NodeId, offer: &Offer<V>) -> Result<Right, Wild> {
        let direction = match offer {
            Offer::Read { .. } => Some(Direction::Read),
            Offer::Write { .. } => Some(Direction::Write),
            Offer::Retired { .. } => None,
        };
        self.may_use(from, offer.channel().index, direction)
    }

    /// Judges an end in a value that a node gives to this one. An end of this home must be with that
    /// node.
    fn may_come(&self, from: NodeId, token: &Token) -> Right {
        let Token { channel, direction, transit } = *token;
        let end = (channel.index, direction);
        match self.counts.transit(transit) {
            _ if channel.home != self.id => Right::Given,
            Some(row) if (row.channel, row.direction) == end && row.via == from => Right::Given,
            Some(_) => Right::Void,
            None => self.unknown(from, transit, end),
        }
    }

    #[inline]
    fn may_post(&self, from: NodeId, guards: &[(u16, Offer<V>)]) -> Result<Right, Wild> {
        self.may_stand(from)?;
        let (mut last, mut right) = (None, Right::Given);
        for (guard, offer) in guards {
            if last >= Some(*guard) {
                return Err(Wild("guards out of their order"));
            }
            last = Some(*guard);
            if self.may_offer(from, offer)? == Right::Void {
                right = Right::Void;
            }
            if let Offer::Write { parcel, .. } = offer
                && !parcel.tokens.is_empty()
            {
                self.may_send(from, parcel)?;
            }
        }
        Ok(right)
    }

    /// Judges the ends in a value that was written: the node has sent each of them out, and in no
    /// other value that is here.
    fn may_send(&self, from: NodeId, parcel: &Parcel<V>) -> Result<(), Wild> {
        let mut met = BTreeSet::new();
        for token in &parcel.tokens {
            if self.counts.charge(token.transit).is_some() || !met.insert(token.transit) {
                return Err(Wild("an end in two values"));
            }
            self.has_sent(from, token)?;
        }
        Ok(())
    }

    /// Judges whether the node has sent this end out, to this home.
    fn has_sent(&self, from: NodeId, token: &Token) -> Result<(), Wild> {
        let Token { channel, direction, transit } = *token;
        let end = (channel.index, direction);
        let is_known = match self.counts.transit(transit) {
            _ if channel.home != self.id => true,
            Some(row) => (row.channel, row.direction) == end && row.via == self.id,
            None => self.counts.given_up(transit).is_some_and(|(of, _)| of == end),
        };
        match transit.origin == from && is_known {
            true => Ok(()),
            false => Err(Wild("a value with an end that its writer has not sent out")),
        }
    }

    fn may_arrive(
        &self,
        from: NodeId,
        channel: u64,
        direction: Direction,
        transit: TransitId,
    ) -> Right {
        let Some(row) = self.counts.transit(transit) else {
            return self.unknown(from, transit, (channel, direction));
        };
        // This home knows to which node it gave the ends in values that stood here.
        let given = || self.counts.charge(transit).and_then(|charge| charge.given_to);
        let is_there = row.via != self.id || given() == Some(from);
        match (row.channel, row.direction) == (channel, direction) && is_there {
            true => Right::Given,
            false => Right::Void,
        }
    }

    fn may_drop(&self, from: NodeId, channel: u64, transit: TransitId) -> Right {
        let Some(row) = self.counts.transit(transit) else {
            return self.unless_early(from, transit);
        };
        let is_there = match self.counts.charge(transit) {
            _ if row.via != self.id => true,
            Some(charge) => charge.given_to == Some(from),
            None => transit.origin == from,
        };
        match row.channel == channel && is_there {
            true => Right::Given,
            false => Right::Void,
        }
    }

    /// Judges the arrival of an end whose journey is not known here. The journey may not have begun,
    /// or was given up because a node has died.
    fn unknown(&self, from: NodeId, transit: TransitId, end: (u64, Direction)) -> Right {
        if self.counts.given_up(transit) == Some((end, Journey::Real)) {
            return Right::Given;
        }
        match self.unless_early(from, transit) {
            Right::Awaited => Right::Awaited,
            Right::Given | Right::Void => Right::Void,
        }
    }

    /// Lets a message wait if the journey may not have begun. The loss, the return or the drop of an
    /// end has no effect if its journey is over.
    fn unless_early(&self, from: NodeId, transit: TransitId) -> Right {
        if !self.may_be_early(transit) {
            return Right::Given;
        }
        // The sender's own journeys and this node's are known as soon as they begin.
        match transit.origin != from && transit.origin != self.id {
            true => Right::Awaited,
            false => Right::Void,
        }
    }

    /// Judges a value that comes back, or that a dead node has not read. The node was given as many
    /// values of the channel. The ends in it went along, or the node has sent them out.
    pub(super) fn may_give_back(
        &self,
        from: NodeId,
        channel: u64,
        parcel: &Parcel<V>,
    ) -> Result<(), Wild> {
        if !self.counts.was_given(channel, from) || channel >= self.next {
            return Err(Wild("a value back that was not given"));
        }
        let mut met = BTreeSet::new();
        for token in &parcel.tokens {
            if token.channel.home == self.id && self.is_nowhere(token.channel.index) {
                continue;
            }
            if !met.insert(token.transit) {
                return Err(Wild("an end twice in a value"));
            }
            match self.counts.charge(token.transit) {
                Some(charge) if charge.given_to == Some(from) => {}
                Some(_) => return Err(Wild("a value back with an end that was not in it")),
                None if self.dead.contains(&token.channel.home) => {}
                None => self.has_sent(from, token)?,
            }
        }
        Ok(())
    }

    fn may_state(&self, from: NodeId) -> bool {
        self.counts.ahead.of(from) < MOST
    }
}
