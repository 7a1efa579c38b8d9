//! The statements that must hold at a home (owning node): after every call, and when nothing is
//! left to happen.

use std::collections::VecDeque;

use super::sim::Value;
use crate::backend::subprocess::protocol::home::{Home, HomeChannel};
use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Few, Machine, Message, NodeId, Offer, OpId,
    Out, Outcome, Parcel,
};
use crate::report::termination::Fate;

impl Home<Value, ()> {
    fn free(&self, queue: &VecDeque<(OpId, u16)>) -> Vec<OpId> {
        let free = queue.iter().map(|(op, _)| *op);
        free.filter(|op| self.posts.get(op).is_some_and(|p| p.engaged.is_none())).collect()
    }

    /// Checks the statements that hold between any two calls.
    pub(super) fn check(&self) -> Option<&'static str> {
        for channel in self.channels.values() {
            let (readers, writers) = (self.free(&channel.readers), self.free(&channel.writers));
            let watchers = self.free(&channel.watchers);
            // Nothing that could communicate is free.
            if !channel.stored.is_empty() && channel.on_offer.is_none() && !readers.is_empty() {
                return Some("a stored value and a free reader");
            }
            if channel.capacity == 0
                && channel.stored.is_empty()
                && readers.iter().any(|r| writers.iter().any(|w| r != w))
            {
                return Some("a free reader and a free writer");
            }
            let full = channel.stored.len() + channel.promised >= channel.capacity;
            if channel.ending.is_none() && !full && !writers.is_empty() {
                return Some("a free place and a free writer");
            }
            // Nothing free stands at an ended channel.
            match &channel.ending {
                None => {}
                Some(Ending::Retired) => {
                    if !writers.is_empty() {
                        return Some("free writers of a retired channel");
                    }
                    // A guard that waits for the retirement waits until the last value has been
                    // read.
                    let drained = channel.stored.is_empty();
                    if drained && (!readers.is_empty() || !watchers.is_empty()) {
                        return Some("free readers or watchers of an empty retired channel");
                    }
                }
                Some(_) if readers.len() + writers.len() + watchers.len() > 0 => {
                    return Some("free offers on a poisoned channel");
                }
                Some(_) => {}
            }
            // Every queued offer has its operation, and every engaged operation its pair.
            let queued = [&channel.readers, &channel.writers, &channel.watchers];
            if queued.into_iter().flatten().any(|(op, _)| !self.posts.contains_key(op)) {
                return Some("a ghost offer");
            }
        }
        match self.pairs_are_sound() {
            true => None,
            false => Some("engaged in no pair, or a pair of nothing"),
        }
    }

    pub(super) fn check_quiet(&self) -> Option<&'static str> {
        if !self.pairs.is_empty() {
            return Some("a pair waits for an answer that will not come");
        }
        if !self.waiting.is_empty() {
            return Some("a message waits for news that will not come");
        }
        if !self.extended.is_empty() {
            return Some("a writer waits for a reader that has finished");
        }
        if !self.is_sound() {
            return Some("a home that nobody would take over");
        }
        let tokens = self.values().map(|parcel| parcel.tokens.len()).sum();
        self.counts.check_quiet(tokens)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Parcel<Value>> {
        let stored = self.channels.values().flat_map(|channel| &channel.stored);
        let posted = self.posts.values().flat_map(|post| &post.guards);
        stored.chain(posted.filter_map(|(_, offer)| match offer {
            Offer::Write { parcel, .. } => Some(parcel),
            _ => None,
        }))
    }

    pub(super) fn counted(&self, index: u64, direction: Direction) -> u32 {
        self.counts.counted(index, direction)
    }

    pub(super) fn retired(&self, index: u64) -> bool {
        let channel = self.channels.get(&index);
        channel.is_none_or(|channel| channel.ending == Some(Ending::Retired))
    }

    /// Returns whether the stored values were not to be kept: the channel is poisoned, or nobody is
    /// left to read them.
    pub(super) fn has_dropped(&self, index: u64) -> bool {
        let over = |ending: &Option<Ending<()>>| !matches!(ending, None | Some(Ending::Retired));
        let channel = self.channels.get(&index);
        channel.is_none_or(|channel| over(&channel.ending)) || self.counts.readers_gone(index)
    }

    /// Returns whether a value is to be had there: it is stored, or its writer waits.
    pub(super) fn has_a_value(&self, index: u64) -> bool {
        let has =
            |channel: &HomeChannel<_, _>| !channel.stored.is_empty() || !channel.writers.is_empty();
        self.channels.get(&index).is_some_and(has)
    }

    pub(super) fn stands(&self, op: OpId) -> bool {
        self.posts.contains_key(&op)
    }
}

/// A home retires a channel and ends well. Later messages of its reader are heard by nobody.
#[test]
fn what_had_retired_before_its_home_ended_is_not_lost() {
    let (there, here) = (NodeId(1), NodeId(2));
    for late in [false, true] {
        for (retired, watches) in [(true, false), (true, true), (false, false)] {
            // A channel there, whose reading end is here.
            let (mut home, mut said) = (Machine::<Value, ()>::new(there), Out::new(there));
            let (mut reader, mut out) = (Machine::<Value, ()>::new(here), Out::new(here));
            let channel = home.create(0);
            home.add_end(channel, Direction::Write);
            let token = home.depart(channel, Direction::Read, here, &mut said);
            reader.arrive(token, &mut out);
            for (_, message) in out.send.drain(..) {
                assert_eq!(home.handle(here, message, &mut said), Ok(()));
            }
            home.drop_handle(channel, &mut said);
            // The home ends. Its last words name the channel if it has retired.
            if retired {
                home.drop_end(channel, Direction::Write, &mut said);
            }
            let farewell = home.farewell();
            assert_eq!(farewell, if retired { vec![channel.index] } else { Vec::new() });
            // The reader begins before or after it hears of that.
            let offer = match watches {
                true => Offer::Retired { channel },
                false => Offer::Read { channel, extended: false },
            };
            let mut ends = |reader: &mut Machine<Value, ()>, unread: Vec<Message<Value, ()>>| {
                let heard = reader.lost(there, Departure::Retires, &farewell, unread, &mut out);
                assert_eq!(heard, Ok(()));
                std::mem::take(&mut out.events)
            };
            let mut events = Vec::new();
            if late {
                events.extend(ends(&mut reader, Vec::new()));
            }
            let mut asking = Out::new(here);
            let op = reader.begin(Few::one((0, offer)), false, &mut asking);
            let unread: Vec<_> = asking.send.drain(..).map(|(_, message)| message).collect();
            events.append(&mut asking.events);
            if !late {
                events.extend(ends(&mut reader, unread));
            }
            let outcome = match (retired, watches) {
                (true, true) => Outcome::Done { guard: 0, parcel: None },
                (true, false) => {
                    Outcome::Ended { guard: 0, ending: Ending::Retired, fate: Fate::Returned }
                }
                (false, _) => {
                    Outcome::Ended { guard: 0, ending: Ending::Lost(there), fate: Fate::Returned }
                }
            };
            assert_eq!(events, [Event { op, outcome }], "late: {late}");
        }
    }
}

/// Reads so often at the home of the channel. Returns the values that came.
fn read_here(home: &mut Machine<Value, ()>, channel: ChannelId, times: usize) -> Vec<Value> {
    let mut out = Out::new(home.id());
    for _ in 0..times {
        home.begin(Few::one((0, Offer::Read { channel, extended: false })), false, &mut out);
    }
    let value = |event: Event<Value, ()>| match event.outcome {
        Outcome::Done { parcel, .. } => parcel.map(|parcel| parcel.body),
        _ => None,
    };
    out.events.drain(..).filter_map(value).collect()
}

/// Two values are with a node whose processes leave before they have read them.
#[test]
fn what_is_given_back_keeps_its_order() {
    let (here, there) = (NodeId(1), NodeId(2));
    let (mut home, mut out) = (Machine::<Value, ()>::new(here), Out::new(here));
    let (mut leaver, mut said) = (Machine::<Value, ()>::new(there), Out::new(there));
    // Two reading operations of the node that leaves, and four values.
    let channel = home.create(2);
    home.add_end(channel, Direction::Read);
    home.add_end(channel, Direction::Write);
    let token = home.depart(channel, Direction::Read, there, &mut out);
    leaver.arrive(token, &mut said);
    for _ in 0..2 {
        let read = Few::one((0, Offer::Read { channel, extended: false }));
        leaver.begin(read, false, &mut said);
    }
    let deliver =
        |home: &mut Machine<Value, ()>, said: &mut Out<Value, ()>, out: &mut Out<Value, ()>| {
            for (_, message) in said.send.drain(..) {
                assert_eq!(home.handle(there, message, out), Ok(()));
            }
        };
    deliver(&mut home, &mut said, &mut out);
    for body in 1..=4 {
        let parcel = Parcel::new(body, Vec::new());
        home.begin(Few::one((0, Offer::Write { channel, parcel })), false, &mut out);
    }
    // It leaves, and gives two values back.
    assert!(!leaver.leave(&mut said), "nobody needs it");
    for (_, message) in out.send.drain(..) {
        assert_eq!(leaver.handle(here, message, &mut said), Ok(()));
    }
    deliver(&mut home, &mut said, &mut out);
    out.events.clear();
    // They are read in their order.
    assert_eq!(read_here(&mut home, channel, 4), [1, 2, 3, 4]);
}

/// The first of the two nodes has been given the first and the third value, and the other one the second.
#[test]
fn what_two_nodes_give_back_keeps_its_order() {
    type Said = Vec<(NodeId, Message<Value, ()>)>;
    let home_id = NodeId(1);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let (mut home, mut out) = (Machine::<Value, ()>::new(home_id), Out::new(home_id));
        let channel = home.create(0);
        home.add_end(channel, Direction::Read);
        home.add_end(channel, Direction::Write);
        let mut nodes = [NodeId(2), NodeId(3)].map(|id| (Machine::new(id), Out::new(id)));
        for (node, said) in &mut nodes {
            let token = home.depart(channel, Direction::Read, node.id(), &mut out);
            node.arrive(token, said);
        }
        // Three reads, and three values for them.
        let pass =
            |home: &mut Machine<Value, ()>, out: &mut Out<Value, ()>, messages: Said, from| {
                for (_, message) in messages {
                    assert_eq!(home.handle(from, message, out), Ok(()));
                }
            };
        for at in [0, 1, 0] {
            let (node, said) = &mut nodes[at];
            let read = Few::one((0, Offer::Read { channel, extended: false }));
            node.begin(read, false, said);
            let messages = said.send.drain(..).collect();
            pass(&mut home, &mut out, messages, node.id());
        }
        for body in 1..=3 {
            let parcel = Parcel::new(body, Vec::new());
            home.begin(Few::one((0, Offer::Write { channel, parcel })), false, &mut out);
        }
        let mut given = Vec::new();
        for (to, message) in out.send.drain(..) {
            let (node, said) = nodes.iter_mut().find(|(node, _)| node.id() == to).expect("a node");
            assert_eq!(node.handle(home_id, message, said), Ok(()));
            given.extend(said.events.drain(..).filter_map(|Event { outcome, .. }| match outcome {
                Outcome::Done { parcel: Some(parcel), .. } => Some((to, parcel)),
                _ => None,
            }));
        }
        given.sort_by_key(|(_, parcel)| parcel.body);
        // They come back in this order.
        for at in order {
            let (to, parcel) = given[at].clone();
            let (node, said) = nodes.iter_mut().find(|(node, _)| node.id() == to).expect("a node");
            node.return_value(channel, parcel, said);
            let messages = said.send.drain(..).collect();
            pass(&mut home, &mut out, messages, to);
        }
        out.events.clear();
        let values = read_here(&mut home, channel, 3);
        assert_eq!(values, [1, 2, 3], "given back as {order:?}");
    }
}
