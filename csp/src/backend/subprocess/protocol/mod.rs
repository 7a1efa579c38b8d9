//! The protocol between OS processes: rendezvous, alternation, retire counts, mobility and death, as a pure state machine.
//!
//! A channel's *home* is the node that made it; all that is decided about it is decided there, in private memory. An
//! operation's *owner* is the node of the process that waits for it. If all its guards stand at one home, the home
//! decides (`Post`, `Done`: two messages, whatever the number of guards). If they stand at several, the owner decides
//! and each home asks it (`Claim`, then `Take` or `Refuse`); if both partners are such, the lower of the two is held
//! (`Reserve`) while the higher is asked.
//!
//! What holds between any two calls:
//! - of the offers on one channel, no two that could communicate are both free (not engaged in an undecided pair);
//! - an operation is engaged in one pair at a home at most, and a pair has exactly one question outstanding;
//! - who waits while he holds a reservation waits for a higher operation: chains climb, so none is a circle;
//! - a value is at its writer's home until the one decision that gives it away, and `Done` is sent once, by who decided;
//! - an end is counted somewhere from its making to its dropping: on its way too.
//!
//! The home's own processes are owners like any other: what a node says to itself is handled before the call returns.
//! Messages between two nodes must arrive in order; between different nodes there is no order. What a dead node sent
//! is handled before its death is; what was sent to it and not read is handed back with the news. One rule binds the
//! links together: a value with ends in it must not be published before the `MoveOut` of those ends.

#[cfg(test)]
mod checks;
mod counts;
mod ends;
#[cfg(test)]
mod faults;
mod few;
mod home;
mod message;
#[cfg(test)]
mod model;
mod owner;
mod pairs;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod stress;
mod table;

use std::collections::VecDeque;
use std::fmt;

pub(crate) use self::message::{
    ChannelId, Departure, Direction, Ending, Message, NodeId, Offer, OpId, Parcel, Token, TransitId,
};

pub(crate) use self::few::Few;
pub(crate) use self::table::{Last, Numbers, Table};

use self::home::Home;
use self::owner::{Claim, Owner};

/// A node's part in the protocol. `V`: what a value is on the wire; `P`: what a cause of poisoning is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Machine<V, P> {
    id: NodeId,
    home: Home<V, P>,
    owner: Owner<V, P>,
    /// Channels that had retired before their homes ended, of the last ones.
    retired: Last<ChannelId, (), 4096>,
}

/// What a call has brought about; the caller sends and reports it, in order, and uses the space again.
pub(crate) struct Out<V, P> {
    me: NodeId,
    local: VecDeque<Message<V, P>>,
    pub(crate) send: Vec<(NodeId, Message<V, P>)>,
    pub(crate) events: Vec<Event<V, P>>,
    /// Asked before a mixed operation is performed at a guard, or held (`None`): whether its process was still to be
    /// had. From a yes on it is spoken for, until the event.
    pub(crate) gate: Box<dyn FnMut(OpId, Option<u16>) -> bool + Send>,
    #[cfg(test)]
    wild: bool,
}

/// How an operation of this node ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Event<V, P> {
    pub(crate) op: OpId,
    pub(crate) outcome: Outcome<V, P>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome<V, P> {
    /// The guard was performed. The ends in the value are registered as this node's; who drops it drops them.
    Done {
        guard: u16,
        parcel: Option<Parcel<V>>,
    },
    /// No guard can be performed any more, or one of them is poisoned.
    Ended {
        guard: u16,
        ending: Ending<P>,
    },
    Withdrawn,
    /// A mixed operation was held and let go: its process looks for itself what it has missed, and begins again.
    Released,
}

/// A peer broke the protocol; its link is to be cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wild(pub(crate) &'static str);

impl fmt::Display for Wild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a peer broke the protocol: {}", self.0)
    }
}

impl<V, P> Out<V, P> {
    pub(crate) fn new(me: NodeId) -> Self {
        Out {
            me,
            local: VecDeque::new(),
            send: Vec::new(),
            events: Vec::new(),
            gate: Box::new(|_, _| true),
            #[cfg(test)]
            wild: false,
        }
    }

    fn to(&mut self, node: NodeId, message: Message<V, P>) {
        if node == self.me {
            self.local.push_back(message);
        } else {
            self.send.push((node, message));
        }
    }
}

impl<V> Parcel<V> {
    /// The value will not be read: the ends in it are dropped.
    fn destroy<P>(self, out: &mut Out<V, P>) {
        for token in self.tokens {
            let message = Message::Drop { channel: token.channel.index, transit: token.transit };
            out.to(token.channel.home, message);
        }
    }
}

impl<V: Clone, P: Clone> Machine<V, P> {
    pub(crate) fn new(id: NodeId) -> Self {
        Machine { id, home: Home::new(id), owner: Owner::new(id), retired: Last::default() }
    }

    /// Makes a channel with its home here, and one handle to it. `capacity` 0: a rendezvous.
    pub(crate) fn create(&mut self, capacity: usize) -> ChannelId {
        self.home.create(capacity)
    }

    pub(crate) fn drop_handle(&mut self, channel: ChannelId, out: &mut Out<V, P>) {
        self.home.drop_handle(channel.index, out);
        self.settle(out);
    }

    /// One more end of this node. Costs no message: the home counts nodes that hold ends, each with what it registered.
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
        if channel.home == self.id {
            out.to(self.id, Message::Retire { channel: channel.index, direction, ends: 1 });
        } else {
            self.owner.ends.drop_end(channel, direction, out);
        }
        self.settle(out);
    }

    pub(crate) fn poison(&mut self, channel: ChannelId, cause: P, out: &mut Out<V, P>) {
        let message = Message::Poison { channel: channel.index, cause };
        self.send_home(channel, message, out);
    }

    /// A value that the channel had stored before it became one that others reach.
    pub(crate) fn preload(&mut self, channel: ChannelId, parcel: Parcel<V>, out: &mut Out<V, P>) {
        self.home.preload(channel.index, parcel, out);
        self.settle(out);
    }

    /// An end of this node sets out, inside a value or an argument that `via` will have charge of: the home of the
    /// channel that carries it, or the node it is given to outright. The end it was made from stays counted until dropped.
    pub(crate) fn depart(
        &mut self,
        channel: ChannelId,
        direction: Direction,
        via: NodeId,
        out: &mut Out<V, P>,
    ) -> Token {
        let token = Token { channel, direction, transit: self.owner.ends.transit() };
        let message =
            Message::MoveOut { channel: channel.index, direction, transit: token.transit, via };
        self.send_home(channel, message, out);
        token
    }

    /// An end has come otherwise than in a value that was read: among the arguments or in the result of a process.
    pub(crate) fn arrive(&mut self, token: Token, out: &mut Out<V, P>) {
        self.owner.ends.arrive(token, out);
        self.settle(out);
    }

    /// A departed end is dropped before it left.
    pub(crate) fn discard(&mut self, token: Token, out: &mut Out<V, P>) {
        let message = Message::Drop { channel: token.channel.index, transit: token.transit };
        self.send_home(token.channel, message, out);
    }

    /// A channel of this home had ended before it became one that others reach.
    pub(crate) fn close(&mut self, channel: ChannelId, ending: Ending<P>, out: &mut Out<V, P>) {
        self.home.end(channel.index, ending, out);
        self.settle(out);
    }

    /// How a channel of this home has ended for one side; values that are stored are still to be read.
    pub(crate) fn ending(&self, channel: ChannelId, direction: Direction) -> Option<Ending<P>> {
        self.home.ending(channel.index, direction)
    }

    /// A channel of this home, a rendezvous, is for one value that has been promised to a reader of another.
    pub(crate) fn promise(&mut self, channel: ChannelId) {
        if let Some(channel) = self.home.channels.get_mut(&channel.index) {
            channel.late = true;
        }
    }

    /// Whether a channel of this home has values that nobody has taken; None: it is forgotten.
    pub(crate) fn has_stored(&self, channel: ChannelId) -> Option<bool> {
        self.home.channels.get(&channel.index).map(|channel| !channel.stored.is_empty())
    }

    /// The channels of this home that have retired and hold nothing any more: what it says before it ends.
    pub(crate) fn farewell(&self) -> Vec<u64> {
        let over = |channel: &home::Channel<V, P>| {
            matches!(channel.ending, Some(Ending::Retired)) && channel.stored.is_empty()
        };
        self.home.channels.keys_of(|_, channel| over(channel))
    }

    /// How many dead it remembers.
    #[cfg(test)]
    pub(crate) fn dead(&self) -> usize {
        self.home.dead.len()
    }

    /// How many channels have their home here.
    #[cfg(test)]
    pub(crate) fn channels(&self) -> usize {
        self.home.channels.len()
    }

    /// The operation that will be begun next.
    pub(crate) fn next(&self) -> OpId {
        self.owner.next()
    }

    fn send_home(&mut self, channel: ChannelId, message: Message<V, P>, out: &mut Out<V, P>) {
        if !self.is_dead(channel.home) {
            out.to(channel.home, message);
        }
        self.settle(out);
    }

    /// Begins a read, write or alternation, guards in order of preference, numbered from 0. Its end is an event, perhaps at once.
    /// `mixed`: there are other guards, of which the protocol knows nothing; [`Out::gate`] tells whether one of those
    /// was quicker. The process of a mixed operation withdraws it once it has been served elsewhere.
    pub(crate) fn begin(
        &mut self,
        guards: Few<(u16, Offer<V>)>,
        mixed: bool,
        out: &mut Out<V, P>,
    ) -> OpId {
        let (dead, retired) = (&self.home.dead, &self.retired);
        let is_dead = |node| dead.contains(&node);
        let op =
            self.owner.begin(guards, mixed, is_dead, |channel| retired.contains(&channel), out);
        self.settle(out);
        op
    }

    /// Takes an operation back. The event says what came of it: `Withdrawn`, or what was quicker.
    pub(crate) fn withdraw(&mut self, op: OpId, out: &mut Out<V, P>) {
        self.owner.withdraw(op, out);
        self.settle(out);
    }

    /// Withdraws an operation unless a guard of it can be performed now: a `skip` guard.
    pub(crate) fn probe(&mut self, op: OpId, out: &mut Out<V, P>) {
        self.owner.probe(op, out);
        self.settle(out);
    }

    /// The extended rendezvous of `op`, a read of `channel` that is done, is over.
    pub(crate) fn finish(&mut self, op: OpId, channel: ChannelId, out: &mut Out<V, P>) {
        self.send_home(channel, Message::Finish { op: op.seq }, out);
    }

    /// A message has come from another node.
    pub(crate) fn handle(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        if self.is_dead(from) {
            return Ok(());
        }
        let result = self.dispatch(from, message, out);
        self.settle(out);
        result
    }

    /// A node is dead, and all that it sent has been handled. `unread`: what was sent to it and not read, oldest first.
    /// `retired`: its last words. Every node of a network is told of every death, whether it knew the dead or not.
    pub(crate) fn lost(
        &mut self,
        node: NodeId,
        departure: Departure,
        retired: &[u64],
        unread: Vec<Message<V, P>>,
        out: &mut Out<V, P>,
    ) {
        if self.is_dead(node) {
            return;
        }
        for index in retired {
            self.retired.insert(ChannelId { home: node, index: *index }, ());
        }
        if !retired.is_empty() {
            let had_retired = |channel| self.retired.contains(&channel);
            for message in &unread {
                self.owner.unheard(node, message, had_retired, out);
            }
        }
        self.home.lost(node, departure, unread, out);
        self.settle(out);
        self.owner.lost(node, out);
        self.settle(out);
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
            debug_assert_eq!(result, Ok(()), "a node keeps its own rules");
        }
    }

    fn dispatch(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
        out: &mut Out<V, P>,
    ) -> Result<(), Wild> {
        let theirs = |seq| OpId { node: from, seq };
        let mine = |seq| OpId { node: self.id, seq };
        match message {
            Message::Post { op, multi, guards } => self.home.post(theirs(op), multi, guards, out),
            Message::Take { op } => self.home.take(theirs(op), out),
            Message::Refuse { op } => self.home.refuse(theirs(op), out),
            Message::Held { op } => self.home.held(theirs(op), out),
            Message::Cancel { op } => self.home.cancel(theirs(op), out),
            Message::Probe { op } => self.home.probe(theirs(op), out),
            Message::Finish { op } => self.home.finish(theirs(op), out),
            Message::Retire { channel, direction, ends } => {
                self.home.retire(channel, from, direction, ends, out)
            }
            Message::Poison { channel, cause } => {
                self.home.end(channel, Ending::Poisoned(cause), out);
                Ok(())
            }
            Message::MoveOut { channel, direction, transit, via } => {
                self.home.move_out(from, channel, direction, transit, via, out)
            }
            Message::MoveIn { channel, direction, transit } => {
                self.home.move_in(from, channel, direction, transit, out)
            }
            Message::Drop { channel, transit } => {
                self.home.dropped(from, channel, transit, out);
                Ok(())
            }
            Message::Returned { channel } => {
                self.home.returned(channel, out);
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
                self.home.gone(transit, dead, out);
                Ok(())
            }
            Message::Done { op, guard, parcel, .. } => {
                self.owner.done(mine(op), from, guard, parcel, out)
            }
            Message::Closed { op, guard, ending } => {
                self.owner.closed(mine(op), from, guard, ending, out)
            }
            Message::Withdrawn { op } => self.owner.withdrawn(mine(op), from, out),
            Message::Probed { op } => {
                self.owner.probed(mine(op), from, out);
                Ok(())
            }
            Message::Claim { op, guard, parcel, park, .. } => {
                let claim = Claim { guard, parcel, park };
                self.owner.claim(mine(op), from, claim, out)
            }
            Message::Reserve { op } => self.owner.reserve(mine(op), from, out),
            Message::Commit { op, guard, parcel, park, .. } => {
                let claim = Claim { guard, parcel, park };
                self.owner.commit(mine(op), from, claim, out)
            }
            Message::Release { op } => self.owner.release(mine(op), from, out),
        }
    }
}
