//! The links at work: sending, notifying, receiving and passing on.

use std::io;
use std::sync::atomic::Ordering;

#[cfg(feature = "address")]
use super::control::addressed;
use super::peers::{NOTE, Note, Peer, RELAYED, WAVE, relayed};
use super::waves::{Wave, counting};
use super::{Inner, Invitation, Node, PreparedChild, draw, lead, map};
use crate::backend::memory::store;
use crate::backend::subprocess::boot::descriptors;
use crate::backend::subprocess::protocol::{Message, NodeId, Offer, Token, Wild};
#[cfg(feature = "hosts")]
use crate::backend::subprocess::transport::inbox::are_values_limited;
use crate::backend::subprocess::transport::inbox::{PeerMailbox, limit_values};
use crate::backend::subprocess::transport::link::{LINK, LinkSide, RingLink};
use crate::backend::subprocess::transport::mailbox::Mailbox;
use crate::backend::subprocess::transport::wire::{self, Wired};
use crate::backend::subprocess::values::causes::IDENTITY;
use crate::backend::subprocess::values::codec;
use crate::report::termination::{Cause, Poison};

/// The room that is kept for the next message.
const KEPT: usize = 512;

/// Returns the ends that a message carries away from the node that sends it.
fn departing(message: &Wired) -> impl Iterator<Item = &Token> {
    let (guards, back) = match message {
        Message::Post { guards, .. } => (&**guards, &[][..]),
        Message::Back { parcel, .. } => (&[][..], parcel.tokens.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let posted = guards.iter().flat_map(|(_, offer)| match offer {
        Offer::Write { parcel, .. } => parcel.tokens.as_slice(),
        _ => &[],
    });
    posted.chain(back)
}

impl Node {
    /// Adds a link to a new peer.
    pub(super) fn meet(&'static self, peer: Peer) {
        let mut inner = self.lock();
        self.peers.fetch_add(1, Ordering::SeqCst);
        lead::begin();
        counting::begin();
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

    /// Sends the machine's messages.
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
        if inner.estates.answer_for(to) {
            return inner.estates.queue(self.id, to, message);
        }
        let waits = |inner: &Inner, token: &Token| {
            let (home, way) = (inner.peers.place(token.channel.home), inner.peers.place(to));
            let backed_up = |home: usize| inner.peers.all[home].link.is_backed_up();
            // The news that the end sets out goes first.
            (home != way && home.is_some_and(backed_up))
                || inner.held_back.iter().any(|(other, _)| *other == token.channel.home)
        };
        let held_back = inner.held_back.iter().any(|(other, _)| *other == to)
            || departing(&message).any(|token| waits(inner, token));
        if held_back {
            inner.held_back.push((to, message));
        } else {
            self.send_now(inner, self.id, to, message);
        }
    }

    /// Sends in the name of `author`: this node, or one that it answers for.
    pub(super) fn send_now(
        &'static self,
        inner: &mut Inner,
        author: NodeId,
        to: NodeId,
        message: Wired,
    ) {
        // Is there a way, and is the receiver alive?
        let Some(message) = inner.deaths.withhold(author, to, message) else { return };
        let Some(place) = inner.peers.place(to) else {
            return self.unreachable(inner, author, to, message);
        };
        #[cfg(feature = "address")]
        let Some(message) = addressed::outgoing(inner, to, message) else { return };
        #[cfg(test)]
        self.sent.fetch_add(1, Ordering::Relaxed);
        // A message that others pass on begins with its addresses.
        let mut head = std::mem::take(&mut inner.head);
        head.clear();
        let relayed = author != self.id || inner.peers.all[place].id != to;
        if relayed {
            head.push(RELAYED);
            head.extend(author.0.to_le_bytes());
            head.extend(to.0.to_le_bytes());
        }
        // A question of the leader says that it leads. An answer to such a question will be seen.
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

    /// Tells the peers of the messages that were published for them. `lazy`: the caller is about to
    /// wait for an answer, and checks only later, if no answer comes soon, whether the message was
    /// seen. The check takes a while: the published words must have left this core, and then a line
    /// of the peer's must come.
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
            // Nothing new for this peer.
            let news = peer.link.news();
            backed_up |= news.backed_up;
            #[cfg(feature = "hosts")]
            inner.writers.0.extend(peer.link.writer());
            if !news.published && !news.room {
                continue;
            }
            let Some(mailbox) = peer.mailbox.get() else { continue };
            // A peer that will look by itself, one that is told later, and one that is told now.
            if peer.answered && !news.room && !peer.unrung {
                mailbox.notify_present();
            } else if lazy {
                peer.unrung = true;
                self.unrung.store(true, Ordering::Relaxed);
            } else {
                peer.unrung = false;
                mailbox.notify_or_ring();
            }
        }
        if backed_up {
            self.backed_up.store(true, Ordering::Relaxed);
        }
    }

    /// Tells the sleeping peers among those that may look for published messages without having
    /// been told.
    #[cold]
    pub(super) fn tell_all(&self) {
        let mut inner = self.lock();
        let unrung = inner.peers.all.iter_mut().filter(|peer| peer.unrung);
        let unattended = unrung.fold(false, |any, peer| any | !peer.tell());
        self.unrung.store(unattended, Ordering::Relaxed);
    }

    /// Rings for everything that was put off.
    pub(super) fn ring_all(&self) {
        if self.unrung.load(Ordering::Relaxed) {
            let mut inner = self.lock();
            self.unrung.store(false, Ordering::Relaxed);
            inner.peers.all.iter_mut().for_each(Peer::ring);
        }
    }

    /// Handles all messages that have come. `leads`: the caller leads. Returns whether the
    /// operation that it waits for is over.
    #[inline]
    pub(super) fn pump(&'static self, leads: bool) -> bool {
        let inner = &mut *self.lock();
        (inner.own, inner.over) = (inner.led.filter(|_| leads), false);
        let mut place = 0;
        while place < inner.peers.ringed() {
            self.drain(inner, place);
            place += 1;
        }
        if !self.streams.is_empty() {
            self.drain_streams(inner);
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
                    inner.peers.cut(place, wild.to_string());
                }
            }
        }
        // `send` sets it again for messages that still have to wait.
        self.backed_up.store(false, Ordering::Relaxed);
        for (to, message) in std::mem::take(&mut inner.held_back) {
            self.send(inner, to, message);
        }
    }

    /// Handles all messages that streams have brought.
    #[cold]
    pub(super) fn drain_streams(&'static self, inner: &mut Inner) {
        for id in self.streams.take() {
            if let Some(place) = inner.peers.places.get(&id) {
                self.drain(inner, *place);
            }
            // The place may be another's by now.
            if let Some(place) = inner.peers.places.get(&id) {
                inner.peers.end_if_lost(*place);
            }
        }
    }

    /// Handles all messages of one peer.
    pub(super) fn drain(&'static self, inner: &mut Inner, place: usize) {
        if inner.estates.has_left() {
            return;
        }
        let mut message = std::mem::take(&mut inner.message);
        // The peers may change meanwhile, so the place is looked up each time.
        while let Some(peer) = inner.peers.all.get_mut(place).filter(|peer| peer.cut.is_none()) {
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
                inner.peers.cut(*place, wild.to_string());
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
        #[cfg(feature = "address")]
        if inner.peers.is_by_address(from) {
            return self.received_by_address(inner, from, message);
        }
        match message.first() {
            // For another node, or from one: the addresses come first.
            Some(&RELAYED) => {
                let (author, to, rest) = relayed(message).ok_or(Wild("half an address"))?;
                let is_mine = author == self.id || inner.estates.answer_for(author);
                if is_mine || inner.peers.way(author) != Some(from) {
                    return Err(Wild("a message in another's name"));
                }
                // A node that passes a message on has judged it so far.
                wire::judge_passing(author, rest)?;
                if to == self.id {
                    if let Err(wild) = self.handle(inner, author, &mut rest.to_vec()) {
                        self.blame(inner, to, author, wild);
                        self.told(inner);
                    }
                    return Ok(());
                }
                if inner.estates.answer_for(to) {
                    let message = wire::decode(to, &mut rest.to_vec())?;
                    inner.estates.queue(author, to, message);
                    self.told(inner);
                    return Ok(());
                }
                self.relay(inner, (author, to), message, rest);
                Ok(())
            }
            // From the peer itself.
            Some(&NOTE) => {
                let note = codec::unpack_whole(&message[1..]);
                let note = note.map_err(|_| Wild("a note that can't be read"))?;
                self.noted(inner, from, note)
            }
            Some(&WAVE) => {
                let wave = codec::unpack_whole(&message[1..]);
                let wave = wave.map_err(|_| Wild("a wave that can't be read"))?;
                let from_above = inner.peers.parent == Some(from);
                match wave {
                    Wave::Look(asker, number) if from_above => self.asked(inner, asker, number),
                    Wave::Seen(seen) if !from_above => self.answered(inner, from, seen),
                    wave => self.waves.came(from_above, from, wave),
                }
            }
            #[cfg(feature = "hosts")]
            Some(&super::peers::CONTROL) => inner.controls.came(from, &message[1..]),
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

    /// Reports events and sends messages. The receivers are notified later.
    #[inline]
    pub(super) fn told(&'static self, inner: &mut Inner) {
        loop {
            if inner.estates.are_stirred() {
                self.answer(inner);
            }
            while let Some((node, wild)) = inner.out.broken.pop() {
                self.blame(inner, self.id, node, wild);
            }
            // A process that waits elsewhere waits longer for it, so messages go first.
            self.send_all(inner);
            if inner.estates.are_stirred() && !inner.estates.has_left() {
                continue;
            }
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

    /// Lets a node be cut off that has said more than it may, and nobody else. `home` is the machine
    /// that has judged it. A node behind a child is ended by its parent, which hears of it by the way
    /// there. Nobody here can end any other node, so it is only heard no more.
    #[cold]
    pub(super) fn blame(
        &'static self,
        inner: &mut Inner,
        home: NodeId,
        author: NodeId,
        wild: Wild,
    ) {
        let way = inner.peers.ways.get(&author).copied();
        if let Some(place) = inner.peers.places.get(&author) {
            return inner.peers.cut(*place, wild.to_string());
        }
        if inner.estates.answer_for(author) {
            return self.disown(inner, author, wild.to_string());
        }
        let Inner { machine, out, estates, causes, peers, .. } = &mut *inner;
        let (machine, out) = match estates.heirs.get_mut(&home) {
            Some(heir) => (&mut heir.machine, &mut heir.out),
            None => (machine, out),
        };
        match way {
            Some(way) => {
                machine.ignore(author);
                peers.note(way, &Note::Blamed(author.0, wild.to_string()));
            }
            None => {
                let process = "unknown".to_owned();
                let cause = Cause::Lost { process, message: wild.to_string(), host: None };
                causes.unreached(author, Poison::new(cause));
                machine.shun(author, out);
                // An heir's messages go out with the others.
                estates.stir(home);
            }
        }
    }

    /// Passes on a message for another node. `message` is `rest` behind its addresses.
    fn relay(
        &'static self,
        inner: &mut Inner,
        (author, to): (NodeId, NodeId),
        message: &[u8],
        rest: &[u8],
    ) {
        if inner.deaths.bounce(author, to, rest) {
            return;
        }
        // A message does not go back to where it came from: nobody there knows the way, either.
        let from = inner.peers.place(author);
        let Some(place) = inner.peers.place(to).filter(|place| Some(*place) != from) else {
            return self.bounce(inner, author, to, rest);
        };
        // A message for the peer itself still names its author, which is not this node.
        inner.peers.send(place, message, None);
    }

    /// Tells the others that no process of this node goes on. All messages are out at the return.
    pub(super) fn settle(&'static self) {
        self.ring_all();
        loop {
            self.pump(false);
            let inner = &mut *self.lock();
            let waits = |peer: &Peer| peer.cut.is_none() && peer.link.is_backed_up();
            // Messages that are withheld from the dying are not forgotten.
            if inner.held_back.is_empty()
                && !inner.peers.all.iter().any(waits)
                && inner.deaths.are_told()
            {
                if inner.estates.has_left() {
                    return;
                }
                self.bequeath(inner);
                self.notify(inner, false);
                continue;
            }
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    }

    pub(super) fn refuse_copies(&self) -> io::Result<()> {
        match self.is_here() {
            true => Ok(()),
            false => Err(io::Error::other(
                "this OS process is a copy that `fork` has made of one with OS processes, and only the original can start more",
            )),
        }
    }

    /// Makes the link to a child that is about to be started.
    pub(super) fn prepare(&'static self) -> io::Result<PreparedChild> {
        self.refuse_copies()?;
        self.begin_serving()?;
        let id = draw();
        let rings = store::shared(LINK)?;
        let mailbox = store::shared(size_of::<Mailbox>())?;
        #[cfg_attr(not(feature = "hosts"), allow(unused_mut, reason = "it is known later"))]
        let mut shared = Invitation {
            node: id.0,
            parent: self.id.0,
            rings: rings.clone(),
            mailbox: mailbox.clone(),
            parents: self.memory.clone(),
            #[cfg(feature = "hosts")]
            is_limited: false,
        };
        descriptors::keep();
        let too_little = || io::Error::other("too little shared memory");
        let link = map(rings).and_then(|rings| RingLink::new(&rings, LinkSide::Parent));
        let link = link.ok_or_else(too_little)?;
        let mailbox = map(mailbox).and_then(PeerMailbox::shared).ok_or_else(too_little)?;
        self.begin_routing()?;
        self.meet(Peer::new(id, Box::new(link), mailbox));
        // From here on it hears of a limit by its link.
        #[cfg(feature = "hosts")]
        {
            shared.is_limited = are_values_limited();
        }
        Ok(PreparedChild { id, shared })
    }

    /// Limits the length of values, because a value may go by a stream from now on. The peers with shared memory
    /// hear of it, except `from`. All with streams know it.
    pub(super) fn limit_values(&self, inner: &mut Inner, from: NodeId) {
        if limit_values() {
            let ringed = inner.peers.all[..inner.peers.ringed()].iter().map(|peer| peer.id);
            let others: Vec<NodeId> = ringed.filter(|peer| *peer != from).collect();
            others.iter().for_each(|peer| inner.peers.note(*peer, &Note::Limited));
        }
    }

    /// Makes this node, with the link to its parent.
    pub(super) fn joining(shared: Invitation) -> &'static Node {
        #[cfg(feature = "hosts")]
        if shared.is_limited {
            limit_values();
        }
        let Invitation { node, parent, rings, mailbox, parents, .. } = shared;
        let parent = NodeId(parent);
        let node = Node::new(NodeId(node), Some(parent), mailbox);
        let peer =
            map(rings).and_then(|rings| RingLink::new(&rings, LinkSide::Child)).and_then(|link| {
                let mailbox = PeerMailbox::shared(map(parents)?)?;
                Some(Peer::new(parent, Box::new(link), mailbox))
            });
        node.meet(peer.expect("memory of the size that the parent has made"));
        node
    }
}

/// Ends and poison that come along with messages.
impl Node {
    pub(crate) fn arrive(&'static self, token: Token) {
        self.with(|machine, out| machine.arrive(token, out));
    }

    /// Returns the identity by which a poison is recognised in every OS process.
    pub(crate) fn identity(&'static self, poison: &Poison) -> [u8; IDENTITY] {
        self.lock().causes.identity(poison)
    }

    /// Returns the poison of that identity.
    pub(crate) fn met(&'static self, identity: [u8; IDENTITY], cause: Cause) -> Poison {
        self.lock().causes.met(identity, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::subprocess::protocol::{ChannelId, Direction, Parcel, TransitId};
    use crate::channel::far::Bytes;
    use ipc_channel::ipc::IpcSharedMemory;

    /// The news that an end sets out waits behind a message to its home. The value with the end
    /// waits for the news.
    #[test]
    fn no_value_overtakes_the_news_of_its_ends() {
        let memory = IpcSharedMemory::from_byte(0, size_of::<Mailbox>());
        let here = Node::new(draw(), None, memory);
        // Nobody reads these links.
        let [full, home, other] = [(); 3].map(|()| here.prepare().expect("memory").id);
        let token = |home| {
            let transit = TransitId { origin: here.id, seq: 0, key: 0 };
            Token { channel: ChannelId { home, index: 0 }, direction: Direction::Read, transit }
        };
        let value = |length, tokens| {
            let parcel = Parcel::new(Bytes::from(vec![0; length]), tokens);
            Message::Back { channel: 0, parcel }
        };
        let inner = &mut *here.lock();
        here.send(inner, full, value(1_000_000, Vec::new()));
        here.send(inner, home, value(0, vec![token(full)]));
        let Token { transit, direction, .. } = token(home);
        here.send(inner, home, Message::MoveOut { channel: 0, direction, transit, via: other });
        here.send(inner, other, value(0, vec![token(home)]));
        let held: Vec<NodeId> = inner.held_back.iter().map(|(to, _)| *to).collect();
        assert_eq!(held, [home, home, other]);
    }
}
