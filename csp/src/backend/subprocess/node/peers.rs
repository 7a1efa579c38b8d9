//! Those a node has links to, and the ways by them to all others.
//!
//! Nodes are a tree: a child knows its parent, a parent its children and those below them. What is for a node that
//! has no link of its own goes to who is nearer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::memories::Tell;
use super::waves::Wave;
use super::{Inner, Node, Numbers};
use crate::backend::subprocess::bytes::Bytes;
use crate::backend::subprocess::codec;
use crate::backend::subprocess::link::Link;
use crate::backend::subprocess::mailbox::{Mailbox, Notified};
use crate::backend::subprocess::protocol::{ChannelId, Message, NodeId, Offer, Token, Wild};
use crate::backend::subprocess::region::Region;
use crate::backend::subprocess::wire::{self, Wired};

pub(super) struct Peer {
    pub(super) id: NodeId,
    pub(super) link: Box<dyn Link>,
    pub(super) mailbox: Region,
    /// Something was published for it that it may not look for: it has not been told of that.
    unrung: bool,
    /// It is among those that were touched.
    touched: bool,
    /// The operation of a process there that looks into the links until this one is answered.
    leads: Option<u64>,
    /// The answer to that is what was said last: it will be seen.
    answered: bool,
    /// It broke the rules, and is not listened to.
    pub(super) cut: bool,
    pub(super) kill: Option<Box<dyn Fn() + Send>>,
    /// Messages for it, and from it; but for those of waves.
    pub(super) said: u64,
    pub(super) heard: u64,
    pub(super) tell: Option<Tell>,
}

#[derive(Default)]
pub(super) struct Peers {
    pub(super) all: Vec<Peer>,
    places: HashMap<NodeId, usize, Numbers>,
    /// Those of which something was read, or to whom something was said, since they were last notified; or no more.
    touched: Vec<(usize, NodeId)>,
    /// By which peer those are reached that have no link.
    pub(super) ways: HashMap<NodeId, NodeId, Numbers>,
    pub(super) parent: Option<NodeId>,
    /// So often has it changed which peers there are.
    pub(super) round: Arc<AtomicU32>,
}

/// A message in another's charge: what comes first in it. The protocol's own messages begin with less.
const RELAYED: u8 = 100;
/// Of the nodes themselves.
const NOTE: u8 = 101;
/// Of those who look whether anybody goes on: it is not counted, for it wakes nobody.
const WAVE: u8 = 102;

/// So much room is kept for the next message.
const KEPT: usize = 512;

/// What nodes say to each other about themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// There is a new node behind me.
    Up(u64),
    /// These are dead. Say nothing more to them, and tell me when no more will come by you.
    Closing(Vec<u64>),
    /// Nothing more will come by me.
    Closed(Vec<u64>),
    /// What was said to them by you, and by others behind you, and not read, each with its author and oldest first.
    Dead {
        dead: Vec<u64>,
        retires: bool,
        process: String,
        message: String,
        /// Those of the first one's channels that had retired before.
        retired: Vec<u64>,
        unread: Vec<Unread>,
    },
    /// I am about to end, and these of my channels have retired.
    Farewell(Vec<u64>),
}

/// What was not read by the dead: author, to whom, and what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Unread {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) message: Vec<u8>,
}

impl Peer {
    /// None: too little memory.
    pub(super) fn new(id: NodeId, link: Box<dyn Link>, mailbox: Region) -> Option<Self> {
        let enough = mailbox.len() >= size_of::<Mailbox>();
        enough.then_some(Self {
            id,
            link,
            mailbox,
            unrung: false,
            touched: false,
            leads: None,
            answered: false,
            cut: false,
            kill: None,
            said: 0,
            heard: 0,
            tell: None,
        })
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        Self::mailbox_in(&self.mailbox)
    }

    pub(super) fn mailbox_in(memory: &Region) -> &Mailbox {
        // SAFETY: `repr(C)`, atomics only.
        unsafe { memory.header() }
    }

    pub(super) fn kill_it(&self) {
        if let Some(kill) = &self.kill {
            kill();
        }
    }

    /// It is told of what was published, unless nobody looks there; says whether it was.
    #[inline]
    fn tell(&mut self) -> bool {
        self.unrung = self.mailbox().notify() == Notified::Unattended;
        !self.unrung
    }

    fn ring(&mut self) {
        if self.unrung && !self.tell() {
            self.unrung = false;
            self.mailbox().ring();
        }
    }
}

impl Peers {
    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Peer> {
        self.places.get(&id).map(|place| &mut self.all[*place])
    }

    pub(super) fn is_peer(&self, id: NodeId) -> bool {
        self.places.contains_key(&id)
    }

    /// The peer by which `to` is reached.
    pub(super) fn way(&self, to: NodeId) -> Option<NodeId> {
        match self.ways.get(&to) {
            _ if self.is_peer(to) => Some(to),
            Some(way) => Some(*way),
            None => self.parent,
        }
    }

    #[inline]
    fn place(&self, to: NodeId) -> Option<usize> {
        match &self.all[..] {
            [peer] if peer.id == to => Some(0),
            _ => self.places.get(&self.way(to)?).copied(),
        }
    }

    pub(super) fn others(&self, but: NodeId) -> Vec<NodeId> {
        self.all.iter().map(|peer| peer.id).filter(|id| *id != but).collect()
    }

    fn add(&mut self, peer: Peer) {
        self.round.fetch_add(1, Ordering::SeqCst);
        self.places.insert(peer.id, self.all.len());
        self.all.push(peer);
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Option<Peer> {
        let place = self.places.remove(&id)?;
        self.round.fetch_add(1, Ordering::SeqCst);
        let peer = self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            self.places.insert(moved.id, place);
        }
        Some(peer)
    }

    pub(super) fn note(&mut self, to: NodeId, note: &Note) {
        let Ok(bytes) = codec::pack(note, vec![NOTE]) else { return };
        if let Some(place) = self.places.get(&to) {
            self.send(*place, &bytes, None);
        }
    }

    /// Something of a wave.
    pub(super) fn wave(&mut self, to: NodeId, wave: &Wave) {
        let Ok(bytes) = codec::pack(wave, vec![WAVE]) else { return };
        if let Some(place) = self.places.get(&to) {
            self.send(*place, &bytes, None);
        }
    }

    /// Sends something to a peer, which is to be notified of it.
    fn send(&mut self, place: usize, head: &[u8], tail: Option<Bytes>) {
        let peer = &mut self.all[place];
        if peer.cut {
            return;
        }
        peer.said += u64::from(head.first() != Some(&WAVE));
        peer.answered = false;
        let sent = peer.link.send(head, tail);
        self.touch(place);
        if let Err(wild) = sent {
            self.cut(place, wild);
        }
    }

    /// What it says is nonsense: it is not listened to any more.
    #[cold]
    fn cut(&mut self, place: usize, _wild: Wild) {
        let peer = &mut self.all[place];
        if !std::mem::replace(&mut peer.cut, true) {
            peer.kill_it();
            self.round.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn touch(&mut self, place: usize) {
        let peer = &mut self.all[place];
        if !std::mem::replace(&mut peer.touched, true) {
            self.touched.push((place, peer.id));
        }
    }
}

/// The ends that a message carries away from the node that sends it.
fn departing(message: &Wired) -> impl Iterator<Item = &Token> {
    let guards = match message {
        Message::Post { guards, .. } => &**guards,
        _ => &[],
    };
    guards.iter().flat_map(|(_, offer)| match offer {
        Offer::Write { parcel, .. } => parcel.tokens.as_slice(),
        _ => &[],
    })
}

impl Node {
    /// A link to a new peer.
    pub(super) fn meet(&'static self, peer: Peer) {
        let mut inner = self.lock();
        self.peers.fetch_add(1, Ordering::SeqCst);
        super::lead::linked();
        let id = peer.id;
        inner.peers.parent = self.parent;
        inner.peers.add(peer);
        if let Some(parent) = self.parent
            && parent != id
        {
            inner.peers.note(parent, &Note::Up(id.0));
            self.notify(&mut inner, false);
        }
    }

    /// Sends what the machine has to say.
    fn send_all(&'static self, inner: &mut Inner) {
        if inner.out.send.is_empty() {
            return;
        }
        let mut messages = std::mem::take(&mut inner.out.send);
        for (to, message) in messages.drain(..) {
            self.send(inner, to, message);
        }
        if inner.out.send.is_empty() {
            inner.out.send = messages;
        }
    }

    fn send(&'static self, inner: &mut Inner, to: NodeId, message: Wired) {
        let waits = |inner: &Inner, token: &Token| {
            let (home, way) = (inner.peers.place(token.channel.home), inner.peers.place(to));
            home != way && home.is_some_and(|home| inner.peers.all[home].link.is_backed_up())
        };
        let held_back = inner.held_back.iter().any(|(other, _)| *other == to)
            || departing(&message).any(|token| waits(inner, token));
        if held_back {
            inner.held_back.push((to, message));
        } else {
            self.send_now(inner, to, message);
        }
    }

    fn send_now(&'static self, inner: &mut Inner, to: NodeId, message: Wired) {
        let Some(message) = inner.deaths.withhold(self.id, to, message) else { return };
        let Some(place) = inner.peers.place(to) else {
            return self.unreachable(inner, to, message);
        };
        #[cfg(test)]
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut head = std::mem::take(&mut inner.head);
        head.clear();
        let relayed = inner.peers.all[place].id != to;
        if relayed {
            head.push(RELAYED);
            head.extend(self.id.0.to_le_bytes());
            head.extend(to.0.to_le_bytes());
        }
        let (asks, answers) = match &message {
            Message::Post { op, .. } => (Some(*op), None),
            Message::Done { op, .. } | Message::Closed { op, .. } => (None, Some(*op)),
            _ => (None, None),
        };
        let tail = wire::encode(message, &mut head);
        if asks.is_some() && asks == inner.led {
            wire::set_leads(&mut head);
        }
        inner.peers.send(place, &head, tail);
        inner.head = head;
        let peer = &mut inner.peers.all[place];
        if answers.is_some() && answers == peer.leads && !relayed {
            peer.leads = None;
            peer.answered = true;
        }
    }

    /// Those peers for whom something was published are told. `lazy`: the caller is about to wait for an answer, and
    /// sees whether it was seen if that does not come soon. To see that means to wait until what was published has left this core,
    /// and then for a line of the peer's.
    pub(super) fn notify(&self, inner: &mut Inner, lazy: bool) {
        let mut backed_up = !inner.held_back.is_empty();
        while let Some((place, id)) = inner.peers.touched.pop() {
            let peer = match inner.peers.all.get_mut(place) {
                Some(peer) if peer.id == id => peer,
                _ => match inner.peers.get_mut(id) {
                    Some(peer) => peer,
                    None => continue,
                },
            };
            peer.touched = false;
            let news = peer.link.news();
            backed_up |= news.backed_up;
            if !news.published && !news.room {
                continue;
            }
            if peer.answered && !news.room && !peer.unrung {
                peer.mailbox().notify_present();
            } else if lazy {
                peer.unrung = true;
                self.unrung.store(true, Ordering::Relaxed);
            } else if !peer.tell() {
                peer.unrung = false;
                peer.mailbox().ring();
            }
        }
        if backed_up {
            self.backed_up.store(true, Ordering::Relaxed);
        }
    }

    /// Who may look for what was published without having been told is told if it sleeps.
    #[cold]
    pub(super) fn tell_all(&self) {
        let mut inner = self.lock();
        let unrung = inner.peers.all.iter_mut().filter(|peer| peer.unrung);
        let unattended = unrung.fold(false, |any, peer| any | !peer.tell());
        self.unrung.store(unattended, Ordering::Relaxed);
    }

    /// What was put off is not put off any longer.
    pub(super) fn ring_all(&self) {
        if self.unrung.load(Ordering::Relaxed) {
            let mut inner = self.lock();
            self.unrung.store(false, Ordering::Relaxed);
            inner.peers.all.iter_mut().for_each(Peer::ring);
        }
    }

    /// Handles what has come. `leads`: the caller leads; then says whether the operation that it waits for is over.
    #[inline]
    pub(super) fn pump(&'static self, leads: bool) -> bool {
        let inner = &mut *self.lock();
        (inner.own, inner.over) = (inner.led.filter(|_| leads), false);
        let mut place = 0;
        while place < inner.peers.all.len() {
            self.drain(inner, place);
            place += 1;
        }
        if self.backed_up.load(Ordering::Relaxed) {
            self.flush(inner);
        }
        self.notify(inner, false);
        inner.own = None;
        inner.over
    }

    #[cold]
    fn flush(&'static self, inner: &mut Inner) {
        for place in 0..inner.peers.all.len() {
            let link = &mut inner.peers.all[place].link;
            if link.is_backed_up() {
                let flushed = link.flush();
                inner.peers.touch(place);
                if let Err(wild) = flushed {
                    inner.peers.cut(place, wild);
                }
            }
        }
        // Said again of those that still are.
        self.backed_up.store(false, Ordering::Relaxed);
        for (to, message) in std::mem::take(&mut inner.held_back) {
            self.send(inner, to, message);
        }
    }

    /// All that has come from one peer.
    pub(super) fn drain(&'static self, inner: &mut Inner, place: usize) {
        let mut message = std::mem::take(&mut inner.message);
        while let Some(peer) = inner.peers.all.get_mut(place).filter(|peer| !peer.cut) {
            let from = peer.id;
            let handled = match peer.link.receive(&mut message) {
                Ok(true) => {
                    peer.heard += u64::from(message.first() != Some(&WAVE));
                    if let Some(op) = wire::leads(&message) {
                        peer.leads = Some(op);
                    }
                    inner.peers.touch(place);
                    self.received(inner, from, &mut message)
                }
                Ok(false) => {
                    // Perhaps a part of a message.
                    if peer.link.has_consumed() {
                        inner.peers.touch(place);
                    }
                    break;
                }
                Err(wild) => Err(wild),
            };
            if let Err(wild) = handled
                && let Some(place) = inner.peers.places.get(&from)
            {
                inner.peers.cut(*place, wild);
            }
        }
        if message.capacity() <= KEPT {
            inner.message = message;
        }
    }

    #[inline]
    fn received(
        &'static self,
        inner: &mut Inner,
        from: NodeId,
        message: &mut Vec<u8>,
    ) -> Result<(), Wild> {
        match message.first() {
            Some(&RELAYED) => {
                let Some((head, rest)) = message.split_at_checked(17) else {
                    return Err(Wild("half an address"));
                };
                let number = |at: usize| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(&head[at..at + 8]);
                    NodeId(u64::from_le_bytes(bytes))
                };
                let (author, to) = (number(1), number(9));
                if author == self.id || inner.peers.way(author) != Some(from) {
                    return Err(Wild("a message in another's name"));
                }
                if to == self.id {
                    return self.handle(inner, author, &mut rest.to_vec());
                }
                self.relay(inner, author, to, message);
                Ok(())
            }
            Some(&NOTE) => {
                let note = codec::unpack(&mut &message[1..]);
                let note = note.map_err(|_| Wild("a note that can't be read"))?;
                self.noted(inner, from, note);
                Ok(())
            }
            Some(&WAVE) => {
                let wave = codec::unpack(&mut &message[1..]);
                let wave = wave.map_err(|_| Wild("a wave that can't be read"))?;
                self.waves.came(inner.peers.parent == Some(from), from, wave)
            }
            _ => self.handle(inner, from, message),
        }
    }

    fn handle(
        &'static self,
        inner: &mut Inner,
        from: NodeId,
        message: &mut Vec<u8>,
    ) -> Result<(), Wild> {
        let message = wire::decode(self.id, message)?;
        let Inner { machine, out, .. } = &mut *inner;
        let handled = machine.handle(from, message, out);
        self.told(inner);
        handled
    }

    /// Events are told, messages sent; those for whom they are, are notified later.
    #[inline]
    pub(super) fn told(&'static self, inner: &mut Inner) {
        loop {
            // Who waits elsewhere waits longer for it.
            self.send_all(inner);
            if inner.out.events.is_empty() {
                break;
            }
            let mut events = std::mem::take(&mut inner.out.events);
            for event in events.drain(..) {
                self.tell(inner, event);
            }
            if inner.out.events.is_empty() {
                inner.out.events = events;
            }
        }
    }

    /// Passes on what is for another. `message` begins with its addresses.
    fn relay(&'static self, inner: &mut Inner, author: NodeId, to: NodeId, message: &[u8]) {
        if inner.deaths.bounce(author, to, &message[17..]) {
            return;
        }
        let Some(place) = inner.peers.place(to) else {
            return self.bounce(inner, author, to, &message[17..]);
        };
        // What is for the peer itself still names its author, who is not this node.
        inner.peers.send(place, message, None);
    }

    /// Waits until all is out, and what was promised is with who reads it, or will never be read.
    pub(super) fn settle(&'static self) {
        self.ring_all();
        let mut said = false;
        loop {
            self.pump(false);
            let inner = &mut *self.lock();
            let waits = |peer: &Peer| !peer.cut && peer.link.is_backed_up();
            let owes = |promise: &ChannelId| inner.machine.has_stored(*promise) == Some(true);
            if inner.held_back.is_empty()
                && !inner.peers.all.iter().any(waits)
                && !inner.promises.iter().any(owes)
            {
                if std::mem::replace(&mut said, true) {
                    return;
                }
                let retired = inner.machine.farewell();
                if let Some(parent) = self.parent.filter(|_| !retired.is_empty()) {
                    inner.peers.note(parent, &Note::Farewell(retired));
                    self.notify(inner, false);
                }
                continue;
            }
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    }
}

/// What a link has kept for a dead peer, taken apart: its own messages and those that were only passed on.
pub(super) fn authors(
    me: NodeId,
    dead: NodeId,
    unread: Vec<Vec<u8>>,
) -> impl Iterator<Item = Unread> {
    unread.into_iter().filter_map(move |message| match message.first() {
        Some(&RELAYED) if message.len() >= 17 => {
            let number = |at: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&message[at..at + 8]);
                u64::from_le_bytes(bytes)
            };
            let (from, to) = (number(1), number(9));
            Some(Unread { from, to, message: message[17..].to_vec() })
        }
        Some(&NOTE | &WAVE) | None => None,
        Some(_) => Some(Unread { from: me.0, to: dead.0, message }),
    })
}
