//! The peers, to which a node has links, and the ways by them to all other nodes.
//!
//! Nodes are a tree. A child knows its parent, and a parent knows its children and the nodes below
//! them. A message for a node without a link of its own goes to the nearer peer.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::estates::Left;
use super::memories::Tell;
use super::waves::Wave;
use crate::backend::subprocess::protocol::{
    ChannelId, Departure, Message, NodeId, Numbers, Offer, Wild,
};
use crate::backend::subprocess::transport::inbox::PeerMailbox;
use crate::backend::subprocess::transport::link::{Link, LostLink};
use crate::backend::subprocess::transport::mailbox::{Mailbox, Notified};
use crate::backend::subprocess::transport::wire::{self, Wired};
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::backend::subprocess::values::codec;
use crate::backend::subprocess::values::sent::SentHost;
use crate::channel::far::Bytes;
use crate::system::forked;

/// Ends a peer, for a reason.
pub(super) type Kill = Box<dyn Fn(&str) + Send>;

pub(super) struct Peer {
    pub(super) id: NodeId,
    pub(super) link: Box<dyn Link>,
    pub(super) mailbox: PeerMailbox,
    /// Something was published that it may not look for, and it has not been told of that.
    pub(super) unrung: bool,
    /// It is among the touched peers.
    pub(super) touched: bool,
    /// The operation of a process there whose thread polls the links until this operation is
    /// answered.
    pub(super) leads: Option<u64>,
    /// The last message was the answer to that operation, so it will be seen.
    pub(super) answered: bool,
    /// It broke the rules, and its messages are ignored.
    pub(super) cut: Option<String>,
    /// The messages that it is not sent any more.
    pub(super) unsent: Vec<Vec<u8>>,
    /// Ends it, for this reason. It is called under the node's lock, so it waits for nothing.
    pub(super) kill: Option<Kill>,
    /// Messages for it, and from it, except waves.
    pub(super) said: u64,
    pub(super) heard: u64,
    pub(super) tell: Option<Tell>,
}

#[derive(Default)]
pub(super) struct Peers {
    /// Those whose links are rings come first.
    pub(super) all: Vec<Peer>,
    ringed: usize,
    pub(super) places: HashMap<NodeId, usize, Numbers>,
    /// The peers from which something was read, or to which something was sent, since they were
    /// last notified. Some may be gone.
    pub(super) touched: Vec<(usize, NodeId)>,
    /// For each node without a link, the peer by which it is reached.
    pub(super) ways: HashMap<NodeId, NodeId, Numbers>,
    /// Those of them that have ended, and whose homes go on.
    pub(super) moved: HashSet<NodeId, Numbers>,
    pub(super) parent: Option<NodeId>,
    /// Counts the changes of the set of peers.
    pub(super) round: Arc<AtomicU32>,
    /// The peers whose links were made by an address. They are neither above nor below, and no other node knows
    /// them. True: their poison passes.
    #[cfg(feature = "address")]
    pub(super) by_address: HashMap<NodeId, bool, Numbers>,
    /// The OS process that may send.
    here: Generation,
}

/// The OS process in which it was made. Its copies have another generation.
struct Generation(u32);

impl Default for Generation {
    fn default() -> Self {
        Self(forked::generation())
    }
}

/// The first byte of a message in another node's charge. The protocol's own messages begin with
/// less.
pub(super) const RELAYED: u8 = 100;
/// The first byte of the nodes' own notes.
pub(super) const NOTE: u8 = 101;
/// The first byte of waves, the counting rounds of termination detection. Waves are not counted,
/// because they wake no process.
pub(super) const WAVE: u8 = 102;
/// The first byte of what a host process and its starter say to each other.
pub(super) const CONTROL: u8 = 103;

/// The most nodes that run behind one peer, and the most homes there that nodes have left. The second
/// are more, because a home that is needed may stay for as long as the program runs.
const MOST_BEHIND: usize = 65_536;
const MOST_LEFT: usize = 1 << 20;

/// The nodes' messages about themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// There is a new node behind the sender.
    Up(u64),
    /// These nodes are dead. The receiver sends nothing more to them, and tells the sender when no
    /// more will come by the receiver.
    Closing(Vec<u64>),
    /// Nothing more will come by the sender.
    Closed(Vec<u64>),
    /// The news of deaths. `unread` has the messages of the receiver, and of nodes behind it, that
    /// were not read, each with its author and oldest first.
    Dead {
        dead: Vec<u64>,
        retires: bool,
        /// The ends of these retire in any case.
        retiring: Vec<u64>,
        process: String,
        message: String,
        host: Option<SentHost>,
        /// The first one's channels that had retired before.
        retired: Vec<u64>,
        unread: Vec<UnreadMessage>,
    },
    /// The sender is about to end, and these of its channels have retired.
    Farewell(Vec<u64>),
    /// The sender is about to end. From then on the receiver answers for these homes.
    Estates(Vec<Left>),
    /// These nodes have ended, and their homes go on. The root has the memory that they had kept.
    Moved(Vec<u64>),
    /// This node behind the receiver, or a home there, has broken the rules, for this reason. The receiver
    /// passes it on, or ends the node.
    Blamed(u64, String),
    /// Somewhere in the network is a stream. So values are no longer than it takes.
    Limited,
}

/// A message that the dead node has not read: author, receiver, and bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnreadMessage {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) message: Vec<u8>,
}

/// How nodes depart that die together.
#[derive(Clone, Debug)]
pub(super) struct Departures {
    pub(super) others: Departure,
    /// The ends of these retire in any case.
    pub(super) retiring: Vec<u64>,
}

impl Departures {
    pub(super) fn of(&self, node: NodeId) -> Departure {
        if self.retiring.contains(&node.0) { Departure::Retires } else { self.others }
    }
}

impl From<Departure> for Departures {
    fn from(others: Departure) -> Self {
        Self { others, retiring: Vec::new() }
    }
}

impl Note {
    /// Makes the news of deaths.
    pub(super) fn dead(
        loss: &NodeLoss,
        dead: Vec<u64>,
        departures: &Departures,
        retired: Vec<u64>,
        unread: Vec<UnreadMessage>,
    ) -> Self {
        let NodeLoss { process, message, host } = loss.clone();
        let Departures { others, retiring } = departures.clone();
        let (retires, host) = (others == Departure::Retires, host.as_ref().map(SentHost::of));
        Self::Dead { dead, retires, retiring, process, message, host, retired, unread }
    }

    /// Returns `None` if it is another message.
    pub(super) fn in_message(message: &[u8]) -> Option<Self> {
        match message.split_first()? {
            (&NOTE, mut rest) => codec::unpack(&mut rest).ok(),
            _ => None,
        }
    }
}

/// Returns the unread messages of `author` to `dead`.
pub(super) fn said_by(unread: &[UnreadMessage], author: NodeId, dead: NodeId) -> Vec<Wired> {
    let theirs = |one: &&UnreadMessage| one.from == author.0 && one.to == dead.0;
    let decode = |one: &UnreadMessage| wire::decode(dead, &mut one.message.clone()).ok();
    unread.iter().filter(theirs).filter_map(decode).collect()
}

impl Peer {
    pub(super) fn new(id: NodeId, link: Box<dyn Link>, mailbox: PeerMailbox) -> Self {
        Self {
            id,
            link,
            mailbox,
            unrung: false,
            touched: false,
            leads: None,
            answered: false,
            cut: None,
            unsent: Vec::new(),
            kill: None,
            said: 0,
            heard: 0,
            tell: None,
        }
    }

    /// Ends it if it was cut off.
    pub(super) fn kill_if_cut(&self) {
        if let (Some(kill), Some(reason)) = (&self.kill, &self.cut) {
            kill(reason);
        }
    }

    /// Keeps a message that it is not sent because it was cut off. The message goes back when its death is told.
    #[cold]
    fn withhold(&mut self, head: &[u8], tail: Option<Bytes>) {
        let mut message = head.to_vec();
        message.extend(tail.iter().flat_map(|tail| tail.iter()));
        if message.first() <= Some(&RELAYED) {
            self.unsent.push(message);
        }
    }

    /// Tells it of the published messages, unless nobody looks there. Returns whether it was told.
    #[inline]
    pub(super) fn tell(&mut self) -> bool {
        let notified = self.mailbox.get().map(Mailbox::notify);
        self.unrung = notified == Some(Notified::Unattended);
        !self.unrung
    }

    pub(super) fn ring(&mut self) {
        if std::mem::take(&mut self.unrung)
            && let Some(mailbox) = self.mailbox.get()
        {
            mailbox.notify_or_ring();
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

    /// Returns whether the link to this peer was made by an address.
    #[inline]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(super) fn is_by_address(&self, _id: NodeId) -> bool {
        #[cfg(feature = "address")]
        return !self.by_address.is_empty() && self.by_address.contains_key(&_id);
        #[cfg(not(feature = "address"))]
        false
    }

    /// Returns the peer by which `to` is reached.
    pub(super) fn way(&self, to: NodeId) -> Option<NodeId> {
        match self.ways.get(&to) {
            _ if self.is_peer(to) => Some(to),
            Some(way) => Some(*way),
            None => self.parent,
        }
    }

    #[inline]
    pub(super) fn place(&self, to: NodeId) -> Option<usize> {
        match &self.all[..] {
            [peer] if peer.id == to => Some(0),
            _ => self.places.get(&self.way(to)?).copied(),
        }
    }

    pub(super) fn others(&self, but: NodeId) -> Vec<NodeId> {
        let is_other = |id: &NodeId| *id != but && !self.is_by_address(*id);
        self.all.iter().map(|peer| peer.id).filter(is_other).collect()
    }

    pub(super) fn add(&mut self, peer: Peer) {
        self.round.fetch_add(1, Ordering::SeqCst);
        let (place, is_ringed) = (self.all.len(), peer.mailbox.get().is_some());
        self.places.insert(peer.id, place);
        self.all.push(peer);
        if is_ringed {
            self.swap(self.ringed, place);
            self.ringed += 1;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.all.swap(one, other);
        for place in [one, other] {
            self.places.insert(self.all[place].id, place);
        }
    }

    /// Returns the number of peers whose links are rings, which are looked at one by one.
    #[inline]
    pub(super) fn ringed(&self) -> usize {
        self.ringed
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Option<Peer> {
        let mut place = *self.places.get(&id)?;
        self.round.fetch_add(1, Ordering::SeqCst);
        if place < self.ringed {
            self.ringed -= 1;
            self.swap(place, self.ringed);
            place = self.ringed;
        }
        self.swap(place, self.all.len() - 1);
        self.places.remove(&id);
        self.all.pop()
    }

    pub(super) fn note(&mut self, to: NodeId, note: &Note) {
        let Ok(bytes) = codec::pack(note, vec![NOTE]) else { return };
        if let Some(place) = self.places.get(&to) {
            self.send(*place, &bytes, None);
        }
    }

    /// Sends a message of a wave.
    pub(super) fn wave(&mut self, to: NodeId, wave: &Wave) {
        let Ok(bytes) = codec::pack(wave, vec![WAVE]) else { return };
        if let Some(place) = self.places.get(&to) {
            self.send(*place, &bytes, None);
        }
    }

    /// Sends a message to a peer, which is to be notified of it.
    pub(super) fn send(&mut self, place: usize, head: &[u8], tail: Option<Bytes>) {
        // A copy of this OS process, made by `fork`, has the same ring, but only one may write there.
        if self.here.0 != forked::generation() {
            return;
        }
        let peer = &mut self.all[place];
        if peer.cut.is_some() {
            peer.withhold(head, tail);
            return;
        }
        peer.said += u64::from(head.first() != Some(&WAVE));
        peer.answered = false;
        let sent = peer.link.send(head, tail);
        self.touch(place);
        if let Err(wild) = sent {
            self.cut(place, wild.to_string());
        }
    }

    /// Cuts a peer off that breaks the rules.
    #[cold]
    pub(super) fn cut(&mut self, place: usize, reason: String) {
        let peer = &mut self.all[place];
        if peer.cut.is_none() {
            peer.cut = Some(reason);
            peer.kill_if_cut();
            self.round.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Ends a peer whose link is lost. It may have stopped, or live on without its stream. A peer that
    /// has only ended its stream is not cut off, because it may have ended well.
    pub(super) fn end_if_lost(&mut self, place: usize) {
        let peer = &mut self.all[place];
        match peer.link.loss() {
            None => {}
            Some(LostLink::Broken(reason)) => self.cut(place, reason),
            Some(LostLink::Ended) => {
                if let Some(kill) = &peer.kill {
                    kill("its connection has ended");
                }
            }
        }
    }

    /// Judges what a peer says of nodes. A peer speaks of the nodes that are reached by it, and of
    /// the end of no other. Only a child brings new nodes, and leaves a home. `is_mine`: the node
    /// is this one, or has left its home to this one.
    pub(super) fn judge(
        &self,
        from: NodeId,
        note: &Note,
        is_mine: impl Fn(NodeId) -> bool,
    ) -> Result<(), Wild> {
        let is_below = self.parent != Some(from);
        let is_behind = |node: &u64| {
            let node = NodeId(*node);
            node != from && !is_mine(node) && self.way(node) == Some(from)
        };
        let is_right = match note {
            Note::Up(node) => {
                let node = NodeId(*node);
                let is_new = !is_mine(node)
                    && self.parent != Some(node)
                    && !self.is_peer(node)
                    && !self.ways.contains_key(&node);
                is_below && is_new && self.may_have_more(from)
            }
            Note::Closing(dead) | Note::Moved(dead) => {
                !dead.is_empty() && dead.iter().all(is_behind)
            }
            Note::Dead { dead, unread, .. } => {
                let is_for_dead = |one: &UnreadMessage| dead.contains(&one.to);
                !dead.is_empty() && dead.iter().all(is_behind) && unread.iter().all(is_for_dead)
            }
            Note::Farewell(_) => is_below,
            Note::Estates(estates) => {
                let mut ids = estates.iter().map(|left| left.estate.id());
                is_below && ids.all(|id| id == from || is_behind(&id.0))
            }
            // It may be over by now.
            Note::Blamed(..) => !is_below,
            // Compared with the question.
            Note::Closed(_) => true,
            Note::Limited => true,
        };
        match is_right {
            true => Ok(()),
            false => Err(Wild("a note about nodes that its sender does not speak for")),
        }
    }

    fn may_have_more(&self, peer: NodeId) -> bool {
        self.ways.len() < MOST_BEHIND || {
            let (mut left, mut run) = (0, 0);
            for (node, _) in self.ways.iter().filter(|(_, way)| **way == peer) {
                *if self.moved.contains(node) { &mut left } else { &mut run } += 1;
            }
            run < MOST_BEHIND && left < MOST_LEFT
        }
    }

    /// Forgets the ways to dead nodes.
    pub(super) fn forget(&mut self, is_dead: impl Fn(NodeId, NodeId) -> bool) {
        self.ways.retain(|node, way| !is_dead(*node, *way));
        self.moved.retain(|node| self.ways.contains_key(node));
    }

    pub(super) fn touch(&mut self, place: usize) {
        let peer = &mut self.all[place];
        if !std::mem::replace(&mut peer.touched, true) {
            self.touched.push((place, peer.id));
        }
    }
}

/// Takes a relayed message apart: author, receiver, and the message.
pub(super) fn relayed(message: &[u8]) -> Option<(NodeId, NodeId, &[u8])> {
    let (&RELAYED, rest) = message.split_first()? else { return None };
    let (author, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let node = |bytes: &[u8; 8]| NodeId(u64::from_le_bytes(*bytes));
    Some((node(author), node(to), rest))
}

/// Returns how many values are in these messages of this node for a dead peer, and of nodes whose messages it
/// passes on, by their channels.
pub(super) fn values_by_channel(
    me: NodeId,
    dead: NodeId,
    messages: Vec<Vec<u8>>,
) -> BTreeMap<ChannelId, usize> {
    let channel = |mut one: UnreadMessage| {
        let (from, to) = (NodeId(one.from), NodeId(one.to));
        match wire::decode(to, &mut one.message).ok()? {
            // A choice has one value read at most.
            Message::Post { guards, .. } => guards.iter().find_map(|(_, offer)| match offer {
                Offer::Write { channel, .. } => Some(*channel),
                _ => None,
            }),
            Message::Done { channel, parcel: Some(_), .. }
            | Message::Claim { channel, parcel: Some(_), .. }
            | Message::Commit { channel, parcel: Some(_), .. } => {
                Some(ChannelId { home: from, index: channel })
            }
            Message::Back { channel, .. } => Some(ChannelId { home: to, index: channel }),
            _ => None,
        }
    };
    let mut values = BTreeMap::new();
    for channel in authors(me, dead, messages).filter_map(channel) {
        *values.entry(channel).or_default() += 1;
    }
    values
}

/// Takes apart the messages that a link has kept for a dead peer: its own and those that it should
/// have passed on.
pub(super) fn authors(
    me: NodeId,
    dead: NodeId,
    unread: Vec<Vec<u8>>,
) -> impl Iterator<Item = UnreadMessage> {
    unread.into_iter().filter_map(move |message| {
        if let Some((from, to, rest)) = relayed(&message) {
            return Some(UnreadMessage { from: from.0, to: to.0, message: rest.to_vec() });
        }
        match message.first() {
            Some(&NOTE | &WAVE | &CONTROL) | None => None,
            Some(_) => Some(UnreadMessage { from: me.0, to: dead.0, message }),
        }
    })
}

/// Reads bytes that follow no rule as all that a peer may say of nodes. A home that could be taken over
/// lives on until all others are dead.
#[cfg(any(test, csp_fuzz))]
pub(in crate::backend::subprocess) fn unpack_notes(bytes: &[u8]) {
    use crate::backend::subprocess::protocol::{Departure, Machine, Out};

    match codec::unpack_whole(bytes) {
        Ok(Note::Estates(estates)) => {
            for mut heir in estates.into_iter().filter_map(|left| Machine::heir(left.estate)) {
                let mut out = Out::new(heir.id());
                for node in 0..8 {
                    let lost = (NodeId(node), Departure::Poisons);
                    let _ = heir.lost(lost.0, lost.1, &[0], Vec::new(), &mut out);
                }
            }
        }
        Ok(Note::Dead { dead, unread, .. }) => {
            let dead = dead.first().map_or(NodeId(0), |dead| NodeId(*dead));
            said_by(&unread, NodeId(1), dead);
        }
        _ => {}
    }
    let _ = codec::unpack_whole::<Wave>(bytes);
    authors(NodeId(1), NodeId(2), vec![bytes.to_vec()]).for_each(drop);
}

/// Notes and waves as bytes.
#[cfg(test)]
pub(in crate::backend::subprocess) mod samples {
    use std::time::Duration;

    use super::*;
    use crate::backend::subprocess::node::waves::SeenThere;
    use crate::backend::subprocess::protocol::{Direction, Few, Machine, Out};
    use crate::report::termination::LostHost;

    /// Returns a home at which an operation stands.
    fn left() -> Left {
        let mut machine = Machine::new(NodeId(3));
        let mut out = Out::new(NodeId(3));
        let channel = machine.create(1);
        machine.add_end(channel, Direction::Read);
        machine.depart(channel, Direction::Write, NodeId(4), &mut out);
        let offer = Offer::Read { channel, extended: false };
        machine.begin(Few::one((0, offer)), false, &mut out);
        Left { estate: machine.into_estate(), process: "worker".to_owned() }
    }

    pub(in crate::backend::subprocess) fn packed_notes() -> Vec<Vec<u8>> {
        let unread = vec![UnreadMessage { from: 1, to: 5, message: vec![6; 24] }];
        let unknown = vec![("jobs".to_owned(), 3)];
        let host = LostHost::new("node1".to_owned(), Duration::from_secs(15), unknown);
        let notes = [
            Note::Up(5),
            Note::Closing(vec![5, 6]),
            Note::Closed(vec![5, 6]),
            Note::Dead {
                dead: vec![5, 6],
                retires: true,
                retiring: vec![6],
                process: "worker".to_owned(),
                message: "killed".to_owned(),
                host: Some(SentHost::of(&host)),
                retired: vec![0, 1],
                unread,
            },
            Note::Farewell(vec![1]),
            Note::Estates(vec![left()]),
            Note::Moved(vec![5]),
            Note::Blamed(5, "a peer broke the protocol".to_owned()),
        ];
        let second = Duration::from_secs(1);
        let waves = [
            Wave::Quiet,
            Wave::Count(1, second),
            Wave::Counted(1, Some([1, 2, 3]), true),
            Wave::Show(2, second),
            Wave::Shown(2, vec![("a".to_owned(), "b".to_owned())], Some(true)),
            Wave::End { joins: true, poison: vec![1; 20] },
            Wave::Look(1, 2),
            Wave::Seen(SeenThere::empty(1, 2, vec![3])),
        ];
        let mut packed: Vec<Vec<u8>> =
            notes.iter().map(|note| codec::pack(note, Vec::new()).expect("a note")).collect();
        packed.extend(waves.iter().map(|wave| codec::pack(wave, Vec::new()).expect("a wave")));
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::subprocess::protocol::{Few, Parcel};
    use crate::backend::subprocess::transport::link::{LINK, LinkSide, RingLink};
    use crate::backend::subprocess::transport::region::Region;

    const ME: NodeId = NodeId(9);
    const PARENT: NodeId = NodeId(1);
    const CHILD: NodeId = NodeId(2);

    /// Returns a node with a parent, a child, and node 3 behind the child.
    fn peers() -> Peers {
        let mut peers = Peers { parent: Some(PARENT), ..Peers::default() };
        for id in [PARENT, CHILD] {
            let link = RingLink::new(&Region::private(LINK), LinkSide::Parent).expect("a link");
            let mailbox = PeerMailbox::shared(Region::private(size_of::<Mailbox>()));
            peers.add(Peer::new(id, Box::new(link), mailbox.expect("a mailbox")));
        }
        peers.ways.insert(NodeId(3), CHILD);
        peers
    }

    fn dead(dead: Vec<u64>, to: u64) -> Note {
        Note::Dead {
            dead,
            retires: true,
            retiring: Vec::new(),
            process: String::new(),
            message: String::new(),
            host: None,
            retired: Vec::new(),
            unread: vec![UnreadMessage { from: 9, to, message: Vec::new() }],
        }
    }

    #[test]
    fn a_peer_speaks_only_of_nodes_that_are_reached_by_it() {
        let peers = peers();
        let may = |from, note: &Note| peers.judge(from, note, |node| node == ME).is_ok();
        for note in [Note::Closing(vec![3]), Note::Moved(vec![3]), dead(vec![3], 3)] {
            assert!(may(CHILD, &note) && !may(PARENT, &note), "{note:?}");
        }
        // Unknown nodes are reached by the parent.
        for note in [Note::Closing(vec![5]), Note::Moved(vec![5]), dead(vec![5], 5)] {
            assert!(!may(CHILD, &note) && may(PARENT, &note), "{note:?}");
        }
        // This node, the peers, and nobody.
        for nodes in [vec![9], vec![1], vec![2], vec![3, 9], vec![]] {
            for from in [PARENT, CHILD] {
                assert!(!may(from, &Note::Closing(nodes.clone())), "{from:?} {nodes:?}");
                assert!(!may(from, &Note::Moved(nodes.clone())), "{from:?} {nodes:?}");
                assert!(!may(from, &dead(nodes.clone(), 3)), "{from:?} {nodes:?}");
            }
        }
        assert!(!may(CHILD, &dead(vec![3], 5)), "unread by another");
        // A child brings new nodes only, and it alone leaves something.
        for known in [1, 2, 3, 9] {
            assert!(!may(CHILD, &Note::Up(known)), "{known}");
        }
        assert!(may(CHILD, &Note::Up(5)) && !may(PARENT, &Note::Up(5)));
        // One that is above blames.
        let blamed = Note::Blamed(3, String::new());
        assert!(!may(CHILD, &blamed) && may(PARENT, &blamed));
        let farewell = Note::Farewell(vec![0]);
        assert!(may(CHILD, &farewell) && !may(PARENT, &farewell));
    }

    /// A loss tells of values. Most messages have none.
    #[test]
    fn only_values_are_counted() {
        let parcel = || Parcel::new(Bytes::copy(&[1]), Vec::new());
        let bytes = |message: Wired| {
            let mut head = Vec::new();
            let tail = wire::encode(message, &mut head);
            head.extend(tail.iter().flat_map(|tail| tail.iter()));
            head
        };
        let done = |parcel| Message::Done { op: 1, guard: 0, channel: 0, parcel };
        let channel = ChannelId { home: CHILD, index: 0 };
        let write = |guard| (guard, Offer::Write { channel, parcel: parcel() });
        let read = |guard| (guard, Offer::Read { channel, extended: false });
        let post = |guards: Vec<_>| Message::Post { op: 2, multi: true, guards: Few::from(guards) };
        let passed_on = |message: Vec<u8>| {
            let mut relayed = vec![RELAYED];
            relayed.extend(3_u64.to_le_bytes());
            relayed.extend(CHILD.0.to_le_bytes());
            [relayed, message].concat()
        };
        let messages = vec![
            bytes(done(Some(parcel()))),
            bytes(done(None)),
            passed_on(bytes(done(Some(parcel())))),
            bytes(Message::Cancel { op: 2 }),
            bytes(Message::Back { channel: 0, parcel: parcel() }),
            bytes(post(vec![read(0), write(1), write(2)])),
            bytes(post(vec![read(0)])),
            bytes(Message::Claim {
                op: 3,
                guard: 0,
                channel: 0,
                parcel: Some(parcel()),
                park: false,
            }),
            bytes(Message::Claim { op: 4, guard: 0, channel: 0, parcel: None, park: false }),
            codec::pack(&Note::Up(5), vec![NOTE]).expect("a note"),
        ];
        let here = ChannelId { home: ME, index: 0 };
        let passed_on = ChannelId { home: NodeId(3), index: 0 };
        let values = values_by_channel(ME, CHILD, messages);
        assert_eq!(values, [(channel, 2), (passed_on, 1), (here, 2)].into());
    }

    /// Homes that nodes have left may be any number. They do not count as nodes that run.
    #[test]
    fn homes_that_were_left_are_no_nodes_that_run() {
        let mut peers = peers();
        let up = Note::Up(5);
        let may = |peers: &Peers| peers.judge(CHILD, &up, |node| node == ME).is_ok();
        for node in 100..100 + MOST_BEHIND as u64 {
            peers.ways.insert(NodeId(node), CHILD);
        }
        assert!(!may(&peers), "they run");
        for node in 100..200 {
            peers.moved.insert(NodeId(node));
        }
        assert!(may(&peers), "some have ended");
        peers.forget(|node, _| node.0 >= 200);
        assert!(peers.ways.len() == 101 && peers.moved.len() == 100);
        peers.forget(|node, _| node.0 >= 100);
        assert!(peers.moved.is_empty());
    }
}
