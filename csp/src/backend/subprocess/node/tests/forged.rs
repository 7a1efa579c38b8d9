//! Nodes that break the rules, in the middle of others that keep them. Each is cut off by the nodes
//! that it has wronged, and nobody else is.

use std::thread;
use std::time::Duration;

use super::super::peers::{NOTE, Note, RELAYED, WAVE};
use super::super::waves::{SeenThere, Wave};
use super::super::{Inner, Node, estates};
use super::{child, dies, pair, run_on};
use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Direction, Few, Machine, Message, NodeId, Offer, Out, TransitId,
};
use crate::backend::subprocess::transport::wire::Wired;
use crate::backend::subprocess::transport::wire::samples::bytes_of;
use crate::backend::subprocess::values::codec;
use crate::channel::far::Bytes;
use crate::{Channel, Reader};

impl Node {
    /// Sends any bytes by the link to a peer.
    pub(in crate::backend::subprocess) fn say(&'static self, peer: NodeId, bytes: &[u8]) {
        let inner = &mut *self.lock();
        let place = inner.peers.places[&peer];
        inner.peers.send(place, bytes, None);
        self.notify(inner, false);
    }

    /// Returns the nodes of other programs that there are links to.
    #[cfg(feature = "address")]
    pub(in crate::backend::subprocess) fn programs(&'static self) -> Vec<NodeId> {
        self.lock().peers.by_address.keys().copied().collect()
    }

    /// Handles nothing from now on. Its streams answer pings as before.
    #[cfg(feature = "address")]
    pub(in crate::backend::subprocess) fn falls_silent(&'static self) {
        std::mem::forget(self.lock());
    }
}

fn say(by: &'static Node, to: &'static Node, bytes: &[u8]) {
    by.say(to.id(), bytes);
}

pub(in crate::backend::subprocess) fn relayed(
    author: NodeId,
    to: NodeId,
    message: Wired,
) -> Vec<u8> {
    let mut bytes = vec![RELAYED];
    bytes.extend(author.0.to_le_bytes());
    bytes.extend(to.0.to_le_bytes());
    bytes.extend(bytes_of(message));
    bytes
}

/// Returns notes and waves that a child without children may not send to its parent.
pub(in crate::backend::subprocess) fn notes(me: NodeId, above: NodeId) -> Vec<Vec<u8>> {
    let dead = |dead: Vec<u64>| Note::Dead {
        dead,
        retires: true,
        retiring: Vec::new(),
        process: String::new(),
        message: String::new(),
        host: None,
        retired: Vec::new(),
        unread: Vec::new(),
    };
    let others = [above.0, me.0, 5];
    let mut notes = vec![Note::Up(above.0), Note::Up(me.0), Note::Blamed(5, String::new())];
    for nodes in others.map(|node| vec![node]).into_iter().chain([Vec::new()]) {
        notes.extend([Note::Closing(nodes.clone()), Note::Moved(nodes.clone()), dead(nodes)]);
    }
    let mut home = Machine::<Bytes, Bytes>::new(above);
    home.create(0);
    let estate = home.into_estate();
    notes.push(Note::Estates(vec![estates::Left { estate, process: String::new() }]));
    let second = Duration::from_secs(1);
    let poison = Vec::new();
    let seen = |author| Wave::Seen(SeenThere::empty(above.0, author, vec![5]));
    let waves = [
        Wave::Count(1, second),
        Wave::Show(1, second),
        Wave::End { joins: true, poison },
        Wave::Look(me.0, 1),
        seen(above.0),
    ];
    let mut all: Vec<Vec<u8>> =
        notes.iter().map(|note| codec::pack(note, vec![NOTE]).expect("a note")).collect();
    all.extend(waves.iter().map(|wave| codec::pack(wave, vec![WAVE]).expect("a wave")));
    all.extend([vec![NOTE, 99, 1], vec![WAVE, 99, 1], vec![NOTE], vec![WAVE]]);
    all
}

/// Poison for a channel of which the sender has no end.
fn poison() -> Wired {
    Message::Poison { channel: 77, cause: Bytes::copy(b"why") }
}

fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

/// Returns why a node has cut a peer off.
fn why_cut(by: &'static Node, peer: &'static Node) -> Option<String> {
    let inner = &mut *by.lock();
    inner.peers.get_mut(peer.id()).and_then(|peer| peer.cut.clone())
}

/// Checks that values go from a node to a child of it and back.
fn talk(here: &'static Node, there: &'static Node) {
    super::HERE.set(Some(here));
    let (to, back) = (Channel::<u64>::new(), Channel::<u64>::new());
    let other = run_on(there, &(to.reader(), back.writer()), |(to, back): (Reader<u64>, _)| {
        for n in &to {
            crate::Writer::write(&back, n + 1).expect("a reader");
        }
    });
    let (to, back) = (to.writer(), back.reader());
    for n in 0..100 {
        to.write(n).expect("a reader");
        assert_eq!(back.read(), Ok(n + 1));
    }
    to.retire();
    other.join();
}

/// Makes a node behind a child. Returns when the first has heard of it.
fn grandchild(here: &'static Node, there: &'static Node) -> &'static Node {
    let behind = child(there);
    until(|| here.lock().peers.ways.contains_key(&behind.id()));
    behind
}

#[test]
fn a_sibling_is_heard_no_more_and_the_way_to_it_stays() {
    let (here, forger) = pair();
    let honest = child(here);
    say(forger, here, &relayed(forger.id(), honest.id(), poison()));
    until(|| {
        why_cut(honest, here).is_some() || honest.lock().machine.hears_no_more_of(forger.id())
    });
    assert_eq!((why_cut(honest, here), why_cut(here, honest)), (None, None));
    // Nobody but the two is concerned.
    assert_eq!(why_cut(here, forger), None);
    talk(here, honest);
    talk(here, forger);
}

#[test]
fn a_node_behind_a_child_is_ended_by_its_parent() {
    let (here, there) = pair();
    let forger = grandchild(here, there);
    say(forger, there, &relayed(forger.id(), here.id(), poison()));
    until(|| why_cut(there, forger).is_some() || why_cut(here, there).is_some());
    assert_eq!(why_cut(here, there), None);
    let why = why_cut(there, forger).expect("a reason");
    assert!(why.contains("a channel end that it does not hold"), "{why}");
    let told = dies(there, forger.id(), true, Departure::Retires, "main/a/b", "it has ended");
    assert_eq!(told.as_ref(), Some(&why));
    talk(here, there);
}

#[test]
fn half_a_message_is_not_passed_on() {
    let (here, forger) = pair();
    let honest = child(here);
    let transit = TransitId { origin: honest.id(), seq: 0, key: 0 };
    let of_another =
        Message::MoveOut { channel: 0, direction: Direction::Read, transit, via: here.id() };
    let bytes = relayed(forger.id(), honest.id(), of_another);
    say(forger, here, &bytes);
    until(|| why_cut(here, forger).is_some() || why_cut(honest, here).is_some());
    assert_eq!(why_cut(honest, here), None);
    talk(here, honest);
    assert!(!honest.lock().machine.hears_no_more_of(forger.id()), "it was not passed on");
    // A peer that passes it on all the same is to blame.
    let (here, there) = pair();
    let behind = grandchild(here, there);
    let bytes = relayed(behind.id(), here.id(), poison());
    say(there, here, &bytes[..bytes.len() - 10]);
    until(|| why_cut(here, there).is_some());
    assert!(!here.lock().machine.hears_no_more_of(behind.id()));
}

#[test]
fn only_the_node_above_blames() {
    let (here, there) = pair();
    let honest = child(here);
    let note = |node: NodeId| {
        let note = Note::Blamed(node.0, "because".to_owned());
        codec::pack(&note, vec![NOTE]).expect("a note")
    };
    say(there, here, &note(honest.id()));
    until(|| why_cut(here, there).is_some());
    assert_eq!(why_cut(here, honest), None);
    // Somebody who is gone may be blamed.
    say(here, honest, &note(NodeId(5)));
    talk(here, honest);
}

/// Messages to nodes that were never there do not push out the memory of the dead.
#[test]
fn invented_receivers_are_no_dead() {
    let (here, there) = pair();
    let forger = grandchild(here, there);
    let known = child(there);
    dies(there, known.id(), false, Departure::Poisons, "main/a/b", "aborted");
    let invented = |n: u64| NodeId(1_000_000 + n);
    for n in 0..5_000 {
        let bytes = relayed(forger.id(), invented(n), Message::Take { op: 1 });
        say(forger, there, &bytes);
    }
    until(|| forger.lock().machine.knows_as_dead(invented(4_999)));
    let inner = there.lock();
    assert!(inner.deaths.dead.contains(&known.id()));
    assert_eq!(inner.machine.dead(), 1);
    drop(inner);
    talk(here, there);
}

/// A home that was forged is given up as soon as it refuses this node's own messages.
#[test]
fn a_forged_home_is_given_up() {
    let (here, there) = pair();
    let id = NodeId(7);
    let (machine, out, process) = (Machine::new(id), Out::new(id), "main/a".to_owned());
    let mut inner = here.lock();
    inner.estates.heirs.insert(id, estates::Heir { machine, out, process });
    let read = Offer::Read { channel: ChannelId { home: id, index: 0 }, extended: false };
    let Inner { machine, out, .. } = &mut *inner;
    machine.begin(Few::one((0, read)), false, out);
    here.spread(&mut inner, false);
    assert!(inner.estates.heirs.is_empty());
    drop(inner);
    until(|| here.lock().machine.knows_as_dead(id) && there.lock().machine.knows_as_dead(id));
}
