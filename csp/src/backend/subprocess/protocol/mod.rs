//! Floor 5. The protocol between OS processes: rendezvous, alternation, retire counts, mobility and death,
//! as a pure state machine.
//!
//! The *home* of a channel is its owning node: the node that made it. The home decides everything
//! about the channel, in private memory. The *owner* of an operation is the node of the process
//! that waits for it. If all guards of an operation stand at one home, the home decides (`Post`,
//! `Done`: two messages, whatever the number of guards). If they stand at several homes, the owner
//! decides and each home asks it (`Claim`, then `Take` or `Refuse`). If the owners decide about
//! both partners, the lower of the two is held (`Reserve`) while the higher is asked.
//!
//! Five statements hold between any two calls:
//! - Two offers on one channel that could communicate are never both free (engaged in no undecided
//!   pair).
//! - An operation is engaged in at most one pair at a home, and a pair has exactly one question
//!   outstanding.
//! - An operation that waits while it holds a reservation waits for a higher operation. The chains
//!   climb, so none is a cycle.
//! - A value stays at its writer's home until the one decision that gives it away. The node that
//!   decided sends `Done`, once.
//! - An end is counted somewhere from its making to its dropping, on its way too.
//!
//! The home's own processes are owners like any other. A message of a node to itself is handled
//! before the call returns. Messages between two nodes must arrive in order. Between different
//! nodes there is no order. All messages of a dead node are handled before its death is. The
//! messages that it had not read are handed back with the news. One rule binds the links together:
//! a value with ends in it must not be published before the `MoveOut` of those ends.

mod counts;
mod ends;
mod home;
mod message;
mod out;
mod owner;
mod pairs;
#[cfg(any(test, csp_fuzz))]
pub(super) mod proof;
mod rights;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::message::{
    ChannelId, Departure, Direction, Ending, Kind, Message, NodeId, Offer, OpId, Parcel, Standing,
    TakenPromise, Token, TransitId,
};

pub(crate) use self::out::{Event, Out, Outcome, Wild};
pub(crate) use self::table::{Last, Numbers, Table};
pub(crate) use crate::channel::far::few::Few;

use self::home::Home;
use self::owner::{Claim, Owner};

#[cfg(test)]
use self::proof::faults;

/// A node's part in the protocol. `V` is a value on the wire. `P` is a cause of poisoning.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Machine<V, P> {
    id: NodeId,
    home: Home<V, P>,
    owner: Owner<V, P>,
    /// Operations whose processes never go on, as long as they may still be given a value. If such
    /// an operation reads the value of a promise, the promise stands beside it, with its body.
    abandoned: BTreeMap<u64, Option<(TakenPromise, V)>>,
    /// The last channels that had retired before their homes ended.
    retired: Last<ChannelId, (), 4096>,
    /// Nodes that are not heard any more, because they have broken the rules.
    shunned: Last<NodeId, (), 4096>,
}

/// The part of a node that others still need after its processes have ended: its home. Another node
/// then answers for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Estate<V, P> {
    home: Home<V, P>,
    retired: Last<ChannelId, (), 4096>,
}

impl<V, P> Estate<V, P> {
    /// Returns the node whose home it is.
    pub(crate) fn id(&self) -> NodeId {
        self.home.id
    }
}

impl<V: Clone, P: Clone> Machine<V, P> {
    pub(crate) fn new(id: NodeId) -> Self {
        Machine {
            id,
            home: Home::new(id),
            owner: Owner::new(id),
            abandoned: BTreeMap::new(),
            retired: Last::default(),
            shunned: Last::default(),
        }
    }

    /// Makes a channel with its home (owning node) here, and one handle to it. `capacity` 0: a
    /// rendezvous.
    pub(crate) fn create(&mut self, capacity: usize) -> ChannelId {
        self.home.create(capacity)
    }

    pub(crate) fn drop_handle(&mut self, channel: ChannelId, out: &mut Out<V, P>) {
        self.home.drop_handle(channel.index, out);
        self.settle(out);
    }

    /// Counts one more end of this node. It costs no message, because the home counts the nodes
    /// that hold ends, each with the number it registered.
    pub(crate) fn add_end(&mut self, channel: ChannelId, direction: Direction) {
        if channel.home == self.id {
            self.home.join(channel.index, self.id, direction);
        } else {
            self.owner.ends.add(channel, direction);
        }
    }

    pub(crate) fn drop_end(
        &mut self,
        channel: ChannelId,
        direction: Direction,
        out: &mut Out<V, P>,
    ) {
        self.drops(channel, direction, out);
        self.settle(out);
    }

    fn drops(&mut self, channel: ChannelId, direction: Direction, out: &mut Out<V, P>) {
        if channel.home == self.id {
            out.to(self.id, Message::Retire { channel: channel.index, direction, ends: 1 });
        } else {
            self.owner.ends.drop_end(channel, direction, out);
        }
    }

    pub(crate) fn poison(&mut self, channel: ChannelId, cause: P, out: &mut Out<V, P>) {
        // The last end may just have been dropped.
        if channel.home == self.id || self.owner.ends.holds(channel) {
            let message = Message::Poison { channel: channel.index, cause };
            self.send_home(channel, message, out);
        }
    }

    /// Stores a value that the channel had buffered before other nodes could reach the channel.
    pub(crate) fn preload(&mut self, channel: ChannelId, parcel: Parcel<V>, out: &mut Out<V, P>) {
        self.home.preload(channel.index, parcel, out);
        self.settle(out);
    }

    /// Stores a value that a reader of this node was given before other nodes could reach the channel,
    /// and has not taken.
    pub(crate) fn put_back(
        &mut self,
        channel: ChannelId,
        mut parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        parcel.turn = pairs::BEFORE;
        self.home.put_back(channel.index, parcel, out);
        self.home.stir(channel.index, out);
        self.settle(out);
    }

    /// Sends an end of this node out, inside a value or an argument. `via` will have charge of it:
    /// the home of the channel that carries it, or the node that is given it directly. The end it
    /// was made from stays counted until dropped.
    pub(crate) fn depart(
        &mut self,
        channel: ChannelId,
        direction: Direction,
        via: NodeId,
        out: &mut Out<V, P>,
    ) -> Token {
        let token = self.sets_out(channel, direction, via, out);
        self.settle(out);
        token
    }

    fn sets_out(
        &mut self,
        channel: ChannelId,
        direction: Direction,
        via: NodeId,
        out: &mut Out<V, P>,
    ) -> Token {
        let transit = self.owner.ends.transit();
        if !self.is_dead(channel.home) {
            out.to(
                channel.home,
                Message::MoveOut { channel: channel.index, direction, transit, via },
            );
        }
        Token { channel, direction, transit }
    }

    /// Registers an end that came otherwise than in a value that was read: among the arguments or
    /// in the result of a process.
    pub(crate) fn arrive(&mut self, token: Token, out: &mut Out<V, P>) {
        self.owner.ends.arrive(token, out);
        self.settle(out);
    }

    /// Drops a departed end that has not left.
    pub(crate) fn discard(&mut self, token: Token, out: &mut Out<V, P>) {
        let message = Message::Drop { channel: token.channel.index, transit: token.transit };
        self.send_home(token.channel, message, out);
    }

    /// Ends a channel of this home that had ended before other nodes could reach it.
    pub(crate) fn close(&mut self, channel: ChannelId, ending: Ending<P>, out: &mut Out<V, P>) {
        self.home.end(channel.index, ending, out);
        self.settle(out);
    }

    /// Returns how a channel of this home has ended for one side. Stored values can still be read.
    pub(crate) fn ending(&self, channel: ChannelId, direction: Direction) -> Option<Ending<P>> {
        self.home.ending(channel.index, direction)
    }

    /// Marks a rendezvous channel of this home as made for one value, which was promised to a
    /// reader of another channel.
    pub(crate) fn promise(&mut self, channel: ChannelId) {
        if let Some(channel) = self.home.channels.get_mut(&channel.index) {
            channel.late = true;
        }
    }

    /// Records that no process of this node goes on. Returns whether others still need its home. If
    /// so, they were told, and another node is to [take the home over](Self::heir). The home goes
    /// on under the same name, so no other node can tell.
    pub(crate) fn leave(&mut self, out: &mut Out<V, P>) -> bool {
        let homes = self.owner.leave(out);
        self.home.abandon(out);
        self.settle(out);
        if self.home.is_over() {
            return false;
        }
        for home in homes.into_iter().filter(|home| !self.home.dead.contains(home)) {
            out.to(home, Message::Leaves);
        }
        true
    }

    /// Returns whether nobody needs this home any more. Its processes have left, so it may then be
    /// reported dead.
    pub(crate) fn is_over(&self) -> bool {
        self.home.is_over()
    }

    pub(crate) fn into_estate(self) -> Estate<V, P> {
        Estate { home: self.home, retired: self.retired }
    }

    /// Makes a machine that answers for a node whose processes have left. Returns `None` if the
    /// estate contradicts itself.
    pub(crate) fn heir(estate: Estate<V, P>) -> Option<Self> {
        let Estate { home, retired } = estate;
        if !home.is_sound() || !retired.is_sound() {
            return None;
        }
        let mut owner = Owner::new(home.id);
        owner.gone = true;
        let (abandoned, shunned) = (BTreeMap::new(), Last::default());
        Some(Machine { id: home.id, home, owner, abandoned, retired, shunned })
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Returns the channels of this home that have retired and hold nothing any more. They are the
    /// node's last words.
    pub(crate) fn farewell(&self) -> Vec<u64> {
        let over = |channel: &home::HomeChannel<V, P>| {
            matches!(channel.ending, Some(Ending::Retired)) && channel.stored.is_empty()
        };
        self.home.channels.keys_of(|_, channel| over(channel))
    }

    /// Returns how many dead nodes are remembered.
    #[cfg(test)]
    pub(crate) fn dead(&self) -> usize {
        self.home.dead.len()
    }

    #[cfg(test)]
    pub(crate) fn knows_as_dead(&self, node: NodeId) -> bool {
        self.is_dead(node)
    }

    #[cfg(test)]
    pub(crate) fn hears_no_more_of(&self, node: NodeId) -> bool {
        self.shunned.contains(&node)
    }

    /// Returns how many channels have their home here.
    #[cfg(test)]
    pub(crate) fn channels(&self) -> usize {
        self.home.channels.len()
    }

    /// Returns the operation that will be begun next.
    pub(crate) fn next(&self) -> OpId {
        self.owner.next()
    }

    fn send_home(&mut self, channel: ChannelId, message: Message<V, P>, out: &mut Out<V, P>) {
        if !self.is_dead(channel.home) {
            out.to(channel.home, message);
        }
        self.settle(out);
    }

    /// Begins a read, write or alternation. Guards are in order of preference, numbered from 0. The
    /// operation's end is an event, perhaps at once. `mixed`: there are other guards, which the
    /// protocol does not know. [`Out::gate`] tells whether one of those was quicker. The process of
    /// a mixed operation withdraws it once it has been served elsewhere.
    pub(crate) fn begin(
        &mut self,
        mut guards: Few<(u16, Offer<V>)>,
        mixed: bool,
        out: &mut Out<V, P>,
    ) -> OpId {
        if let Some(op) = self.begins_too_many(&mut guards, out) {
            return op;
        }
        let (dead, retired, shunned) = (&self.home.dead, &self.retired, &self.shunned);
        let is_dead = |node| dead.contains(&node) || shunned.contains(&node);
        let op = self.owner.begin(guards, mixed, is_dead, |id| retired.contains(&id), out);
        self.settle(out);
        op
    }

    /// Withdraws an operation. The event says what came of it: `Withdrawn`, or an outcome that was
    /// quicker.
    pub(crate) fn withdraw(&mut self, op: OpId, out: &mut Out<V, P>) {
        self.owner.withdraw(op, out);
        self.settle(out);
    }

    /// Withdraws an operation whose process never goes on. A value that is given to it all the same
    /// goes back to its channel. If the operation reads the value of a promise, the value or the
    /// promise goes back to the channel from which the promise was read.
    pub(crate) fn abandon(
        &mut self,
        op: OpId,
        promise: Option<(TakenPromise, V)>,
        out: &mut Out<V, P>,
    ) {
        if self.owner.ops.contains_key(&op.seq) {
            self.abandoned.insert(op.seq, promise);
            self.withdraw(op, out);
        }
    }

    /// Gives a promise back to the channel from which it was read. The next reader there awaits its
    /// value.
    pub(crate) fn give_back(&mut self, promise: TakenPromise, body: V, out: &mut Out<V, P>) {
        self.promise_back(promise, body, out);
        self.settle(out);
    }

    fn promise_back(&mut self, promise: TakenPromise, body: V, out: &mut Out<V, P>) {
        let TakenPromise { from, late, turn } = promise;
        if self.is_dead(from.home) || self.is_dead(late.home) {
            return;
        }
        let token = self.sets_out(late, Direction::Read, from.home, out);
        let parcel = Parcel { body, tokens: vec![token], turn };
        out.to(from.home, Message::Back { channel: from.index, parcel });
    }

    /// Gives a value that was read from `channel`, and that nobody awaits any more, back to it. The ends in
    /// the value have arrived here, and set out again.
    pub(crate) fn return_value(
        &mut self,
        channel: ChannelId,
        parcel: Parcel<V>,
        out: &mut Out<V, P>,
    ) {
        self.send_back(channel, parcel, out);
        self.settle(out);
    }

    fn send_back(&mut self, from: ChannelId, parcel: Parcel<V>, out: &mut Out<V, P>) {
        let Parcel { body, mut tokens, turn } = parcel;
        let dead = self.is_dead(from.home);
        for token in &mut tokens {
            let Token { channel, direction, .. } = *token;
            if !dead {
                *token = self.sets_out(channel, direction, from.home, out);
            }
            self.drops(channel, direction, out);
        }
        if !dead {
            let parcel = Parcel { body, tokens, turn };
            out.to(from.home, Message::Back { channel: from.index, parcel });
        }
    }

    /// Gives the value of a promise to the channel from which the promise was read, because its
    /// reader never goes on. The ends in the value arrive here, and set out again.
    fn value_back(&mut self, promise: TakenPromise, mut parcel: Parcel<V>, out: &mut Out<V, P>) {
        let TakenPromise { from, turn, .. } = promise;
        if self.is_dead(from.home) {
            return parcel.destroy(out);
        }
        parcel.turn = turn;
        for token in &parcel.tokens {
            self.owner.ends.arrive(*token, out);
        }
        self.send_back(from, parcel, out);
    }

    /// Sends a value that an abandoned operation was given back to its channel. The writer that an
    /// extended read keeps then goes on. Returns the value if its process is there.
    fn unless_abandoned(
        &mut self,
        op: u64,
        from: NodeId,
        channel: u64,
        parcel: Option<Parcel<V>>,
        out: &mut Out<V, P>,
    ) -> Option<Parcel<V>> {
        if self.abandoned.is_empty() {
            return parcel;
        }
        self.abandoned.retain(|op, _| self.owner.ops.contains_key(op));
        let Some(promise) = self.abandoned.get(&op) else { return parcel };
        #[cfg(test)]
        if self.owner.fault == faults::Fault::KeepsAbandoned {
            return parcel;
        }
        let parcel = parcel?;
        let promise = promise.as_ref().map(|(promise, _)| *promise);
        #[cfg(test)]
        let promise = promise.filter(|_| self.owner.fault != faults::Fault::ReturnsToLate);
        match promise {
            None => out.to(from, Message::Back { channel, parcel }),
            // Nobody else will read the channel of the promise.
            Some(promised) => self.value_back(promised, parcel, out),
        }
        out.to(from, Message::Finish { op });
        None
    }

    /// Handles the withdrawal of an operation. If that was abandoned and has read a promise, the
    /// promise goes back.
    fn withdrawn(&mut self, op: OpId, from: NodeId, out: &mut Out<V, P>) -> Result<(), Wild> {
        self.owner.withdrawn(op, from, out)?;
        let promise = self.abandoned.remove(&op.seq).flatten();
        #[cfg(test)]
        let promise = promise.filter(|_| self.owner.fault != faults::Fault::KeepsPromise);
        if let Some((promise, body)) = promise {
            self.promise_back(promise, body, out);
        }
        Ok(())
    }

    /// Withdraws an operation unless a guard of it can be performed now: a `skip` guard.
    pub(crate) fn probe(&mut self, op: OpId, out: &mut Out<V, P>) {
        self.owner.probe(op, out);
        self.settle(out);
    }

    /// Ends the extended rendezvous of `op`, a read of `channel` that is done.
    pub(crate) fn finish(&mut self, op: OpId, channel: ChannelId, out: &mut Out<V, P>) {
        self.send_home(channel, Message::Finish { op: op.seq }, out);
    }

    #[cfg(test)]
    fn plant(&mut self, fault: faults::Fault) {
        self.home.fault = fault;
        self.owner.fault = fault;
    }

    fn is_dead(&self, node: NodeId) -> bool {
        self.home.dead.contains(&node)
    }

    fn settle(&mut self, out: &mut Out<V, P>) {
        while let Some(message) = out.local.pop_front() {
            let result = self.dispatch(self.id, message, out);
            #[cfg(test)]
            {
                out.wild |= result.is_err();
            }
            #[cfg(not(test))]
            debug_assert!(result.is_ok() || self.owner.gone, "a node keeps its own rules");
        }
    }

    fn dispatch(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let theirs = |seq| OpId { node: from, seq };
        let here = self.id;
        let mine = |seq| OpId { node: here, seq };
        match message {
            // To the home: operations.
            Message::Post { op, multi, guards } => self.home.post(theirs(op), multi, guards, out),
            Message::Take { op } => self.home.take(theirs(op), out),
            Message::Refuse { op } => self.home.refuse(theirs(op), out),
            Message::Held { op } => self.home.held(theirs(op), out),
            Message::Cancel { op } => self.home.cancel(theirs(op), out),
            Message::Probe { op } => self.home.probe(theirs(op), out),
            Message::Finish { op } => self.home.finish(theirs(op), out),
            // To the home: ends, their counts and their journeys.
            Message::Retire { channel, direction, ends } => {
                self.home.retire(channel, from, direction, ends, out)
            }
            Message::Poison { channel, cause } => {
                self.home.end(channel, Ending::Poisoned(cause), out);
                Ok(())
            }
            Message::MoveOut { channel, direction, transit, via } => {
                self.home.move_out(from, channel, direction, transit, via, out);
                Ok(())
            }
            Message::MoveIn { channel, direction, transit } => {
                self.home.move_in(from, channel, direction, transit, out);
                Ok(())
            }
            Message::Drop { channel, transit } => {
                self.home.dropped(from, channel, transit, out);
                Ok(())
            }
            Message::Returned { channel, transit } => {
                self.home.returned(channel, transit, out);
                Ok(())
            }
            Message::Settled { transit } => {
                self.home.settled(transit);
                Ok(())
            }
            Message::Ask { transit, dead } => {
                self.home.asked(from, transit, dead, out);
                Ok(())
            }
            Message::Gone { transit, dead } => {
                self.home.gone(from, transit, dead, out);
                Ok(())
            }
            // To the home: a node whose processes have ended.
            Message::Leaves => {
                #[cfg(test)]
                if self.home.fault == faults::Fault::LeavesUnheard {
                    return Ok(());
                }
                self.home.left(from, out);
                Ok(())
            }
            Message::Back { channel, parcel } => {
                self.home.given_back(from, channel, parcel, out);
                Ok(())
            }
            // To an owner whose processes have ended: it gives back and ignores.
            Message::Done { channel, parcel, .. } | Message::Commit { channel, parcel, .. }
                if self.owner.gone =>
            {
                #[cfg(test)]
                let parcel = parcel.filter(|_| self.owner.fault != faults::Fault::KeepsGiven);
                if let Some(parcel) = parcel {
                    out.to(from, Message::Back { channel, parcel });
                }
                Ok(())
            }
            Message::Withdrawn { .. } | Message::Release { .. } if self.owner.gone => Ok(()),
            // To the owner.
            Message::Done { op, guard, channel, parcel } => {
                let parcel = self.unless_abandoned(op, from, channel, parcel, out);
                self.owner.done(mine(op), from, guard, parcel, out)
            }
            Message::Closed { op, guard, ending } => {
                self.owner.closed(mine(op), from, guard, ending, out)
            }
            Message::Withdrawn { op } => self.withdrawn(mine(op), from, out),
            Message::Probed { op } => {
                self.owner.probed(mine(op), from, out);
                Ok(())
            }
            Message::Claim { op, guard, parcel, park, .. } => {
                let claim = Claim { guard, parcel, park };
                self.owner.claim(mine(op), from, claim, out)
            }
            Message::Reserve { op } => self.owner.reserve(mine(op), from, out),
            Message::Commit { op, guard, channel, parcel, park } => {
                let parcel = self.unless_abandoned(op, from, channel, parcel, out);
                let claim = Claim { guard, parcel, park };
                self.owner.commit(mine(op), from, claim, out)
            }
            Message::Release { op } => self.owner.release(mine(op), from, out),
        }
    }
}
