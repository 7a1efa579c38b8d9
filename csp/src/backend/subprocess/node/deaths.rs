//! The death of a node, told to all others. Who was its parent asks each of its own peers to say nothing more to the dead and
//! waits until all have answered; so nothing is on its way when they are told, and what was not read goes back, whole,
//! to who has said it. A peer that has peers of its own asks them first.

use std::collections::{HashMap, HashSet};

use super::peers::{Note, Unread, authors};
use super::{Inner, Node, Numbers};
use crate::backend::subprocess::protocol::{Departure, Last, NodeId};
use crate::backend::subprocess::wire::{self, Wired};
use crate::termination::{Cause, Poison};

#[derive(Default)]
pub(super) struct Deaths {
    /// By the first of those that die together.
    waves: HashMap<u64, Wave>,
    /// Whom nothing is said to any more, with the wave.
    closing: HashMap<NodeId, u64, Numbers>,
    /// Who is dead, and why; of the last ones, for what all have been told of is rarely asked again.
    pub(super) dead: Last<NodeId, (Departure, String, String), 1024>,
    /// Children that are about to end have said which of their channels have retired.
    farewells: HashMap<NodeId, Vec<u64>, Numbers>,
}

struct Wave {
    dead: Vec<u64>,
    /// Peers that may still say something to the dead.
    waits_for: HashSet<NodeId>,
    source: Source,
    unread: Vec<Unread>,
}

enum Source {
    /// It was this node's child.
    Here { departure: Departure, process: String, message: String, retired: Vec<u64> },
    /// This peer has told of it.
    Peer(NodeId),
}

impl Source {
    fn is(&self, peer: NodeId) -> bool {
        matches!(self, Self::Peer(source) if *source == peer)
    }
}

impl Deaths {
    /// Keeps what is for the dying; else gives it back.
    pub(super) fn withhold(&mut self, me: NodeId, to: NodeId, message: Wired) -> Option<Wired> {
        if self.dead.contains(&to) {
            return None;
        }
        let Some(wave) = self.closing.get(&to).and_then(|wave| self.waves.get_mut(wave)) else {
            return Some(message);
        };
        let mut bytes = Vec::new();
        let tail = wire::encode(message, &mut bytes);
        bytes.extend(tail.iter().flat_map(|tail| tail.iter()));
        wave.unread.push(Unread { from: me.0, to: to.0, message: bytes });
        None
    }

    /// Keeps what another has for the dying, if this is who tells of their death.
    pub(super) fn bounce(&mut self, author: NodeId, to: NodeId, message: &[u8]) -> bool {
        let Some(wave) = self.closing.get(&to).and_then(|wave| self.waves.get_mut(wave)) else {
            return false;
        };
        if let Source::Peer(_) = wave.source {
            return false;
        }
        wave.unread.push(Unread { from: author.0, to: to.0, message: message.to_vec() });
        true
    }
}

impl Node {
    pub(super) fn ended(
        &'static self,
        id: NodeId,
        departure: Departure,
        process: String,
        message: String,
    ) {
        let mut inner = self.lock();
        let place = inner.peers.all.iter().position(|peer| peer.id == id);
        let Some(place) = place else { return };
        self.drain(&mut inner, place);
        let Some(mut peer) = inner.peers.remove(id) else { return };
        let unread = peer.link.unread().unwrap_or_default();
        let behind = inner.peers.ways.iter().filter(|(_, way)| **way == id);
        let mut dead = vec![id.0];
        dead.extend(behind.map(|(node, _)| node.0));
        inner.peers.ways.retain(|_, way| *way != id);
        let mut unread: Vec<Unread> = authors(self.id, id, unread).collect();
        // It may have been the one to tell of other deaths.
        for (_, wave) in inner.deaths.waves.extract_if(|_, wave| wave.source.is(id)) {
            unread.extend(wave.unread);
        }
        let retired = inner.deaths.farewells.remove(&id).unwrap_or_default();
        let wave = Wave {
            dead,
            waits_for: inner.peers.others(id).into_iter().collect(),
            source: Source::Here { departure, process, message, retired },
            unread,
        };
        self.begin_wave(&mut inner, wave);
        // Nobody waits for an answer from there any more.
        let waves: Vec<u64> = inner.deaths.waves.keys().copied().collect();
        for wave in waves {
            self.closed(&mut inner, id, wave);
        }
        self.told(&mut inner);
        self.notify(&mut inner, false);
        self.peers.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        drop(inner);
        // Who leads may have led for nobody; or was to be woken by the dead.
        self.mailbox().shake();
        self.forget_gone();
    }

    fn begin_wave(&'static self, inner: &mut Inner, wave: Wave) {
        let name = wave.dead[0];
        for node in &wave.dead {
            inner.deaths.closing.insert(NodeId(*node), name);
        }
        for peer in &wave.waits_for {
            inner.peers.note(*peer, &Note::Closing(wave.dead.clone()));
        }
        let over = wave.waits_for.is_empty();
        inner.deaths.waves.insert(name, wave);
        if over {
            self.wave_is_over(inner, name);
        }
    }

    /// Nothing more comes from this peer to those who die in this wave.
    fn closed(&'static self, inner: &mut Inner, peer: NodeId, wave: u64) {
        let Some(of) = inner.deaths.waves.get_mut(&wave) else { return };
        if of.waits_for.remove(&peer) && of.waits_for.is_empty() {
            self.wave_is_over(inner, wave);
        }
    }

    fn wave_is_over(&'static self, inner: &mut Inner, name: u64) {
        let Some(wave) = inner.deaths.waves.get_mut(&name) else { return };
        if let Source::Peer(source) = wave.source {
            let closed = Note::Closed(wave.dead.clone());
            inner.peers.note(source, &closed);
            return;
        }
        let Some(wave) = inner.deaths.waves.remove(&name) else { return };
        if let Source::Here { departure, process, message, retired } = wave.source {
            let peers = inner.peers.others(self.id);
            self.bury(
                inner,
                &peers,
                Burial {
                    dead: wave.dead,
                    departure,
                    process,
                    message,
                    retired,
                    unread: wave.unread,
                },
            );
        }
    }

    /// They are dead: those peers are told, and the machine.
    fn bury(&'static self, inner: &mut Inner, peers: &[NodeId], burial: Burial) {
        let Burial { dead, departure, process, message, retired, mut unread } = burial;
        for peer in peers {
            let theirs = |one: &mut Unread| inner.peers.way(NodeId(one.from)) == Some(*peer);
            let unread: Vec<Unread> =
                unread.extract_if(.., |one| NodeId(one.from) != self.id && theirs(one)).collect();
            inner.peers.note(
                *peer,
                &Note::Dead {
                    dead: dead.clone(),
                    retires: departure == Departure::Retires,
                    process: process.clone(),
                    message: message.clone(),
                    retired: retired.clone(),
                    unread,
                },
            );
        }
        let cause = Cause::Lost { process: process.clone(), message: message.clone() };
        let poison = Poison::new(cause);
        self.ask_again(inner, &dead);
        for node in &dead {
            inner.causes.lost(NodeId(*node), poison.clone());
        }
        for (at, node) in dead.into_iter().enumerate() {
            let node = NodeId(node);
            let mine = |one: &&Unread| one.from == self.id.0 && one.to == node.0;
            let unread: Vec<Wired> = unread
                .iter()
                .filter(mine)
                .filter_map(|one| wire::decode(node, &mut one.message.clone()).ok())
                .collect();
            inner.deaths.closing.remove(&node);
            inner.deaths.dead.insert(node, (departure, process.clone(), message.clone()));
            let Inner { machine, out, .. } = &mut *inner;
            let retired = if at == 0 { &*retired } else { &[] };
            machine.lost(node, departure, retired, unread, out);
            self.told(inner);
        }
    }

    pub(super) fn noted(&'static self, inner: &mut Inner, from: NodeId, note: Note) {
        match note {
            Note::Up(node) => {
                inner.peers.ways.insert(NodeId(node), from);
                if let Some(parent) = self.parent
                    && parent != from
                {
                    inner.peers.note(parent, &note);
                }
            }
            Note::Closing(dead) if !dead.is_empty() => {
                let waits_for = inner.peers.others(from).into_iter().collect();
                let (source, unread) = (Source::Peer(from), Vec::new());
                self.begin_wave(inner, Wave { dead, waits_for, source, unread });
            }
            Note::Closing(_) => {}
            Note::Closed(dead) => {
                if let Some(name) = dead.first() {
                    self.closed(inner, from, *name);
                }
            }
            Note::Farewell(retired) => {
                inner.deaths.farewells.insert(from, retired);
            }
            Note::Dead { dead, retires, process, message, retired, mut unread } => {
                if let Some(wave) = dead.first().and_then(|name| inner.deaths.waves.remove(name)) {
                    // What was withheld came after what was on its way.
                    unread.extend(wave.unread);
                }
                let departure = match retires {
                    true => Departure::Retires,
                    false => Departure::Poisons,
                };
                inner.peers.ways.retain(|node, _| !dead.contains(&node.0));
                let peers = inner.peers.others(from);
                let burial = Burial { dead, departure, process, message, retired, unread };
                self.bury(inner, &peers, burial);
            }
        }
    }

    /// Nobody knows the way to `to`: it is dead, and was before this node could hear of it.
    pub(super) fn unreachable(&'static self, inner: &mut Inner, to: NodeId, message: Wired) {
        let mut bytes = Vec::new();
        let tail = wire::encode(message, &mut bytes);
        bytes.extend(tail.iter().flat_map(|tail| tail.iter()));
        let unread = vec![Unread { from: self.id.0, to: to.0, message: bytes }];
        let burial = inner.deaths.burial(to, unread);
        self.bury(inner, &[], burial);
    }

    /// Somebody does not know yet that `to` is dead.
    pub(super) fn bounce(
        &'static self,
        inner: &mut Inner,
        author: NodeId,
        to: NodeId,
        message: &[u8],
    ) {
        let unread = vec![Unread { from: author.0, to: to.0, message: message.to_vec() }];
        let Burial { dead, departure, process, message, retired, unread } =
            inner.deaths.burial(to, unread);
        let retires = departure == Departure::Retires;
        if let Some(way) = inner.peers.way(author) {
            inner.peers.note(way, &Note::Dead { dead, retires, process, message, retired, unread });
        }
    }
}

struct Burial {
    dead: Vec<u64>,
    departure: Departure,
    process: String,
    message: String,
    /// The channels of the first of them that had retired.
    retired: Vec<u64>,
    unread: Vec<Unread>,
}

impl Deaths {
    fn burial(&self, node: NodeId, unread: Vec<Unread>) -> Burial {
        let unknown = || {
            let message = "its OS process ended before this one could reach it";
            (Departure::Poisons, "unknown".to_owned(), message.to_owned())
        };
        let (departure, process, message) = self.dead.get(&node).cloned().unwrap_or_else(unknown);
        let retired = Vec::new();
        Burial { dead: vec![node.0], departure, process, message, retired, unread }
    }
}
