//! The death of a node, told to all others. The node that was its parent asks each of its own peers
//! to send nothing more to the dead node. It waits until all have answered. A peer that has peers
//! of its own asks them first. So nothing is on its way when the death is told, and the messages
//! that were not read go back, whole, to their authors.
//!
//! A node whose processes have all ended leaves its home in the same way, or answers for the homes of others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::estates::{Estates, Heir, Left};
use super::peers::{Departures, Note, Peers, UnreadMessage, authors, said_by, values_by_channel};
use super::{Carried, Inner, Node, Numbers};
use crate::backend::subprocess::protocol::{ChannelId, Departure, Last, Machine, NodeId, Wild};
use crate::backend::subprocess::transport::link::LeftMessages;
use crate::backend::subprocess::transport::wire::{self, Wired};
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::backend::subprocess::values::sent::SentHost;
use crate::backend::subprocess::values::text;
use crate::report::termination::Poison;

#[derive(Default)]
pub(super) struct Deaths {
    /// By the first of the nodes that die together.
    waves: HashMap<u64, DeathWave>,
    /// The nodes that are sent nothing more, each with its wave.
    closing: HashMap<NodeId, u64, Numbers>,
    /// The dead nodes, and why they died. Only the last ones are kept, because a death that all
    /// have been told of is rarely asked about.
    pub(super) dead: Last<NodeId, (Departure, NodeLoss), 1024>,
    /// The nodes behind hosts whose ends retire if the host is lost.
    pub(super) retiring: HashSet<NodeId, Numbers>,
    /// The retired channels of children that are about to end, as they have reported them.
    farewells: HashMap<NodeId, Vec<u64>, Numbers>,
}

struct DeathWave {
    dead: Vec<u64>,
    /// Peers that may still send something to the dead nodes.
    waits_for: HashSet<NodeId>,
    source: NewsSource,
    unread: Vec<UnreadMessage>,
}

enum NewsSource {
    /// It was this node's child.
    Here { departures: Departures, loss: NodeLoss, retired: Vec<u64> },
    /// This peer has told of it.
    Peer(NodeId),
}

impl NewsSource {
    fn is(&self, peer: NodeId) -> bool {
        matches!(self, Self::Peer(source) if *source == peer)
    }
}

impl Deaths {
    /// Keeps a message for a dying node. Gives any other message back.
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
        wave.unread.push(UnreadMessage { from: me.0, to: to.0, message: bytes });
        None
    }

    /// Judges whether a peer may speak of this death: the peer that has told of it, or one that was
    /// asked about it.
    pub(super) fn judge(&self, from: NodeId, note: &Note) -> Result<(), Wild> {
        let (Note::Closing(dead) | Note::Closed(dead) | Note::Dead { dead, .. }) = note else {
            return Ok(());
        };
        let Some(wave) = dead.first().and_then(|name| self.waves.get(name)) else { return Ok(()) };
        let is_right = match note {
            Note::Closed(_) => wave.waits_for.contains(&from),
            Note::Dead { .. } => wave.source.is(from),
            _ => false,
        };
        match is_right {
            true => Ok(()),
            false => Err(Wild("a note about a death that others tell of")),
        }
    }

    /// Returns whether nobody is dying, as far as this node knows.
    pub(super) fn are_told(&self) -> bool {
        self.waves.is_empty()
    }

    /// Ends the waves of these nodes, because their death is told. Returns the messages that were
    /// withheld. Nodes that were dying one by one may be told of together, because the node between
    /// them and this one has died, too. Each of them then has a wave of its own.
    fn withheld(&mut self, dead: &[u64]) -> Vec<UnreadMessage> {
        // The wave of the first one was the last to begin.
        let waves = dead.iter().rev().filter_map(|name| self.waves.remove(name));
        waves.flat_map(|wave| wave.unread).collect()
    }

    /// Keeps another node's message for a dying node, if this node tells of that death, or has said
    /// that no more will come by it.
    pub(super) fn bounce(&mut self, author: NodeId, to: NodeId, message: &[u8]) -> bool {
        let Some(wave) = self.closing.get(&to).and_then(|wave| self.waves.get_mut(wave)) else {
            return false;
        };
        if let NewsSource::Peer(_) = wave.source
            && !wave.waits_for.is_empty()
        {
            return false;
        }
        wave.unread.push(UnreadMessage { from: author.0, to: to.0, message: message.to_vec() });
        true
    }
}

impl Node {
    /// Records that a child runs. Its link may have been lost before.
    pub(super) fn started(
        &self,
        id: NodeId,
        kill: impl Fn(&str) + Send + 'static,
        tell: impl Fn(Carried) -> bool + Send + Sync + 'static,
    ) {
        let peers = &mut self.lock().peers;
        let Some(place) = peers.places.get(&id).copied() else { return };
        let peer = &mut peers.all[place];
        peer.tell = Some(Arc::new(tell));
        peer.kill = Some(Box::new(kill));
        peer.kill_if_cut();
        peers.end_if_lost(place);
    }

    /// Handles the end of a child. Returns the rule that it has broken, if it was cut off.
    pub(super) fn ended(
        &'static self,
        id: NodeId,
        well: bool,
        departure: Departure,
        mut loss: NodeLoss,
        names: &HashMap<ChannelId, String>,
    ) -> (Option<String>, NodeLoss) {
        let mut inner = self.lock();
        // Everything that the child has sent is handled first.
        let Some(place) = inner.peers.places.get(&id).copied() else { return (None, loss) };
        self.drain(&mut inner, place);
        let Some(mut peer) = inner.peers.remove(id) else { return (None, loss) };
        // A child that has broken the rules leaves nothing.
        let broken = peer.cut.take();
        let well = well && broken.is_none();
        let departure = if broken.is_none() { departure } else { Departure::Poisons };
        if let Some(rule) = &broken {
            loss.message.clone_from(rule);
        }
        // A message that the child may have read counts as read. It is not sent to another as well.
        let LeftMessages { unsent: mut unread, unknown } = peer.link.left().unwrap_or_default();
        unread.append(&mut peer.unsent);
        loss.may_have_read(&values_by_channel(self.id, id, unknown), names);
        // A node whose home goes on is not dead.
        let moved = inner.estates.inherit(id, well, &loss.process);
        let behind = inner.peers.ways.iter().filter(|(_, way)| **way == id);
        let behind = std::iter::once(id.0).chain(behind.map(|(node, _)| node.0));
        let dead: Vec<u64> = behind.filter(|node| !moved.contains(node)).collect();
        inner.peers.forget(|_, way| way == id);
        let retiring = &mut inner.deaths.retiring;
        let retiring = dead.iter().copied().filter(|node| retiring.remove(&NodeId(*node)));
        let departures = Departures { others: departure, retiring: retiring.collect() };
        if !moved.is_empty() {
            self.moved(&mut inner, id, moved);
            self.read_for_heirs(&mut inner, id, &unread);
        }
        // The messages that nobody has read, and those of waves that the child would have ended.
        let others = authors(self.id, id, unread);
        let mut unread: Vec<UnreadMessage> =
            others.filter(|one| !inner.estates.answer_for(NodeId(one.to))).collect();
        // It may have been the node that was to tell of other deaths.
        for (_, wave) in inner.deaths.waves.extract_if(|_, wave| wave.source.is(id)) {
            unread.extend(wave.unread);
        }
        // The wave of this death.
        let retired = inner.deaths.farewells.remove(&id).unwrap_or_default();
        let wave = DeathWave {
            dead,
            waits_for: inner.peers.others(id).into_iter().collect(),
            source: NewsSource::Here { departures, loss: loss.clone(), retired },
            unread,
        };
        if !wave.dead.is_empty() {
            self.begin_wave(&mut inner, wave);
        }
        // Nobody waits for an answer from there any more.
        let waves: Vec<u64> = inner.deaths.waves.keys().copied().collect();
        for wave in waves {
            self.closed(&mut inner, id, wave);
        }
        self.told(&mut inner);
        self.notify(&mut inner, false);
        self.peers.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        drop(inner);
        // A thread that leads may have led for nobody, or the dead process may have marked a
        // sleeper as awake and not woken it.
        self.mailbox().shake();
        self.forget_gone();
        (broken, loss)
    }

    /// Tells the death of a home for which this node has answered, and which nobody needs any more.
    pub(super) fn dissolved(
        &'static self,
        inner: &mut Inner,
        id: NodeId,
        process: String,
        retired: Vec<u64>,
    ) {
        let (departures, message) = (Departure::Retires.into(), "it has ended".to_owned());
        let loss = NodeLoss { process, message, host: None };
        self.dies(inner, id, NewsSource::Here { departures, loss, retired });
    }

    /// Gives up a home that breaks the rules, and for which this node has answered.
    #[cold]
    pub(super) fn disown(&'static self, inner: &mut Inner, id: NodeId, message: String) {
        let Some(heir) = inner.estates.heirs.remove(&id) else { return };
        let (departures, retired) = (Departure::Poisons.into(), Vec::new());
        let loss = NodeLoss { process: heir.process, message, host: None };
        self.dies(inner, id, NewsSource::Here { departures, loss, retired });
    }

    fn dies(&'static self, inner: &mut Inner, id: NodeId, source: NewsSource) {
        let wave = DeathWave {
            dead: vec![id.0],
            waits_for: inner.peers.others(id).into_iter().collect(),
            source,
            unread: Vec::new(),
        };
        self.begin_wave(inner, wave);
    }

    fn begin_wave(&'static self, inner: &mut Inner, wave: DeathWave) {
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

    /// Records that nothing more comes from this peer to the nodes that die in this wave.
    fn closed(&'static self, inner: &mut Inner, peer: NodeId, wave: u64) {
        let Some(of) = inner.deaths.waves.get_mut(&wave) else { return };
        if of.waits_for.remove(&peer) && of.waits_for.is_empty() {
            self.wave_is_over(inner, wave);
        }
    }

    fn wave_is_over(&'static self, inner: &mut Inner, name: u64) {
        let Some(wave) = inner.deaths.waves.get_mut(&name) else { return };
        if let NewsSource::Peer(source) = wave.source {
            let closed = Note::Closed(wave.dead.clone());
            inner.peers.note(source, &closed);
            return;
        }
        let Some(wave) = inner.deaths.waves.remove(&name) else { return };
        if let NewsSource::Here { departures, loss, retired } = wave.source {
            let peers = inner.peers.others(self.id);
            let DeathWave { dead, unread, .. } = wave;
            let is_told = true;
            let burial = Burial { dead, departures, loss, retired, unread, is_told };
            self.bury(inner, &peers, burial);
        }
    }

    /// Tells the deaths to those peers and to the machine. A message that is said to be unread, and that
    /// was never sent, has no effect. Nobody is cut off because of it, because no node on the way from
    /// the dead node's parent can know.
    fn bury(&'static self, inner: &mut Inner, peers: &[NodeId], burial: Burial) {
        let Burial { dead, departures, loss, retired, mut unread, is_told } = burial;
        // Each peer gets the messages of the nodes behind it back.
        for peer in peers {
            let here = |id| id == self.id || inner.estates.answer_for(id);
            let theirs = |from| !here(from) && inner.peers.way(from) == Some(*peer);
            let unread: Vec<UnreadMessage> =
                unread.extract_if(.., |one| theirs(NodeId(one.from))).collect();
            let note = Note::dead(&loss, dead.clone(), &departures, retired.clone(), unread);
            inner.peers.note(*peer, &note);
        }
        // Poison and memory: the reason of the death is known, and memory is asked of the root.
        let poison = Poison::new(loss.cause());
        self.ask_again(inner, &dead);
        for node in &dead {
            match is_told {
                true => inner.causes.lost(NodeId(*node), poison.clone()),
                false => inner.causes.unreached(NodeId(*node), poison.clone()),
            }
        }
        // The machine and the homes that this node answers for.
        for (at, node) in dead.into_iter().enumerate() {
            let node = NodeId(node);
            let of = |author| said_by(&unread, author, node);
            let departure = departures.of(node);
            inner.deaths.closing.remove(&node);
            let Inner { machine, out, .. } = &mut *inner;
            let retired = if at == 0 { &*retired } else { &[] };
            let _ = match is_told {
                true => machine.lost(node, departure, retired, of(self.id), out),
                false => machine.unreached(node, departure, of(self.id), out),
            };
            inner.estates.lost(node, departure, retired, is_told, of);
            if is_told {
                inner.deaths.dead.insert(node, (departure, loss.clone()));
            }
            self.told(inner);
        }
    }

    pub(super) fn noted(
        &'static self,
        inner: &mut Inner,
        from: NodeId,
        note: Note,
    ) -> Result<(), Wild> {
        let is_mine = |node| node == self.id || inner.estates.answer_for(node);
        inner.peers.judge(from, &note, is_mine)?;
        inner.deaths.judge(from, &note)?;
        match note {
            Note::Up(node) => {
                inner.peers.ways.insert(NodeId(node), from);
                if let Some(parent) = self.parent
                    && parent != from
                {
                    inner.peers.note(parent, &note);
                }
            }
            Note::Closing(dead) => {
                let waits_for = inner.peers.others(from).into_iter().collect();
                let (source, unread) = (NewsSource::Peer(from), Vec::new());
                self.begin_wave(inner, DeathWave { dead, waits_for, source, unread });
            }
            Note::Closed(dead) => {
                if let Some(name) = dead.first() {
                    self.closed(inner, from, *name);
                }
            }
            Note::Estates(estates) => inner.estates.are_announced(from, estates),
            Note::Moved(moved) => {
                let Peers { ways, moved: left, .. } = &mut inner.peers;
                let behind = moved.iter().copied().map(NodeId);
                left.extend(behind.filter(|node| ways.contains_key(node)));
                self.moved(inner, from, moved);
            }
            Note::Blamed(node, reason) => {
                self.blamed(inner, NodeId(node), text::reason(reason));
            }
            Note::Limited => self.limit_values(inner, from),
            Note::Farewell(retired) => {
                inner.deaths.farewells.insert(from, retired);
            }
            Note::Dead { dead, retires, retiring, process, message, host, retired, mut unread } => {
                let (process, message) = (text::name(process), text::reason(message));
                let loss = NodeLoss { process, message, host: host.map(SentHost::arrived) };
                // A node that could not be reached has died without a wave.
                let is_told =
                    dead.first().is_some_and(|name| inner.deaths.waves.contains_key(name));
                // The messages that were withheld came after those that were on their way.
                unread.extend(inner.deaths.withheld(&dead));
                let departures = Departures { others: Departure::of(retires), retiring };
                for node in &dead {
                    inner.deaths.retiring.remove(&NodeId(*node));
                }
                inner.peers.forget(|node, _| dead.contains(&node.0));
                let peers = inner.peers.others(from);
                let burial = Burial { dead, departures, loss, retired, unread, is_told };
                self.bury(inner, &peers, burial);
            }
        }
        Ok(())
    }

    /// Ends a node behind this one, or passes that on. The node may be gone by now.
    fn blamed(&'static self, inner: &mut Inner, node: NodeId, reason: String) {
        if inner.estates.answer_for(node) {
            self.disown(inner, node, reason);
        } else if let Some(place) = inner.peers.places.get(&node)
            && self.parent != Some(node)
        {
            inner.peers.cut(*place, reason);
        } else if let Some(way) = inner.peers.ways.get(&node).copied() {
            inner.peers.note(way, &Note::Blamed(node.0, reason));
        }
    }

    /// Handles a message to which nobody knows the way: `to` is dead, and was before this node
    /// could hear of it.
    pub(super) fn unreachable(
        &'static self,
        inner: &mut Inner,
        author: NodeId,
        to: NodeId,
        message: Wired,
    ) {
        let mut bytes = Vec::new();
        let tail = wire::encode(message, &mut bytes);
        bytes.extend(tail.iter().flat_map(|tail| tail.iter()));
        let unread = vec![UnreadMessage { from: author.0, to: to.0, message: bytes }];
        let burial = inner.deaths.burial(to, unread);
        self.bury(inner, &[], burial);
    }

    /// Tells the author of a message, which does not know it yet, that `to` is dead.
    pub(super) fn bounce(
        &'static self,
        inner: &mut Inner,
        author: NodeId,
        to: NodeId,
        message: &[u8],
    ) {
        let unread = vec![UnreadMessage { from: author.0, to: to.0, message: message.to_vec() }];
        let Burial { dead, departures, loss, retired, unread, .. } =
            inner.deaths.burial(to, unread);
        if let Some(way) = inner.peers.way(author) {
            inner.peers.note(way, &Note::dead(&loss, dead, &departures, retired, unread));
        }
    }
}

struct Burial {
    dead: Vec<u64>,
    departures: Departures,
    loss: NodeLoss,
    /// The channels of the first dead node that had retired.
    retired: Vec<u64>,
    unread: Vec<UnreadMessage>,
    /// Its death was told, and is not only concluded.
    is_told: bool,
}

impl Deaths {
    fn burial(&self, node: NodeId, unread: Vec<UnreadMessage>) -> Burial {
        let unknown = || {
            let message = "its OS process ended before this one could reach it";
            let (process, message) = ("unknown".to_owned(), message.to_owned());
            (Departure::Poisons, NodeLoss { process, message, host: None })
        };
        let (departure, loss) = self.dead.get(&node).cloned().unwrap_or_else(unknown);
        let departures = departure.into();
        let (dead, retired, is_told) = (vec![node.0], Vec::new(), self.dead.contains(&node));
        Burial { dead, departures, loss, retired, unread, is_told }
    }
}

impl Node {
    /// Leaves to the parent what others need, because no process of this node goes on.
    pub(super) fn bequeath(&'static self, inner: &mut Inner) {
        let needed = inner.machine.leave(&mut inner.out);
        // No process is left to be told of anything.
        inner.out.events.clear();
        self.told(inner);
        let retired = if needed { Vec::new() } else { inner.machine.farewell() };
        // This node's home, and the homes that it answered for.
        let mut estates = Vec::new();
        if needed {
            let machine = std::mem::replace(&mut inner.machine, Machine::new(self.id));
            estates.push(Left { estate: machine.into_estate(), process: String::new() });
        }
        let heirs = inner.estates.heirs.drain().map(|(_, heir)| heir);
        estates.extend(heirs.map(|Heir { machine, process, .. }| {
            let estate = machine.into_estate();
            Left { estate, process }
        }));
        (inner.estates.left, inner.estates.are_stirred) = (true, true);
        // The parent hears of them before this node ends.
        if let Some(parent) = self.parent {
            if !retired.is_empty() {
                inner.peers.note(parent, &Note::Farewell(retired));
            }
            if !estates.is_empty() {
                inner.peers.note(parent, &Note::Estates(estates));
            }
        }
        // The count of messages handled here is final.
        for place in 0..inner.peers.all.len() {
            inner.peers.all[place].link.conclude();
            inner.peers.touch(place);
        }
    }

    /// Lets the homes speak for which this node answers.
    #[cold]
    pub(super) fn answer(&'static self, inner: &mut Inner) {
        if inner.estates.left {
            // The operations of its threads no longer matter until it has ended.
            inner.out.send.clear();
            inner.out.events.clear();
            return;
        }
        // The homes handle their messages.
        while let Some((from, to, message)) = inner.estates.said.pop_front() {
            if let Some(heir) = inner.estates.heirs.get_mut(&to) {
                let handled = heir.machine.handle(from, message, &mut heir.out);
                inner.estates.stirred.push(to);
                match handled {
                    Ok(()) => {}
                    // This node keeps the rules, so that home was forged.
                    Err(wild) if from == self.id => self.disown(inner, to, wild.to_string()),
                    // Neither of two homes here is heard by the other, and one may have been forged.
                    Err(_) if inner.estates.answer_for(from) => {}
                    Err(wild) => self.blame(inner, to, from, wild),
                }
            } else {
                // The home was over meanwhile.
                self.send_now(inner, from, to, message);
            }
        }
        // Their own messages go out, and homes that are over are dissolved.
        for id in std::mem::take(&mut inner.estates.stirred) {
            let Some(heir) = inner.estates.heirs.get_mut(&id) else { continue };
            heir.out.events.clear();
            let (broken, said) = (std::mem::take(&mut heir.out.broken), &mut heir.out.send);
            let said = std::mem::take(said);
            for (node, wild) in broken {
                self.blame(inner, id, node, wild);
            }
            for (to, message) in said {
                if to == self.id {
                    let handled = inner.machine.handle(id, message, &mut inner.out);
                    // A home keeps the rules, except if it was forged.
                    if let Err(wild) = handled {
                        self.disown(inner, id, wild.to_string());
                    }
                } else if inner.estates.answer_for(to) {
                    inner.estates.queue(id, to, message);
                } else {
                    self.send_now(inner, id, to, message);
                }
            }
            self.may_dissolve(inner, id);
        }
        let Estates { said, stirred, are_stirred, .. } = &mut inner.estates;
        *are_stirred = !said.is_empty() || !stirred.is_empty();
    }

    fn may_dissolve(&'static self, inner: &mut Inner, id: NodeId) {
        let heirs = &mut inner.estates.heirs;
        if heirs.get(&id).is_some_and(|heir| heir.machine.is_over())
            && let Some(heir) = heirs.remove(&id)
        {
            self.dissolved(inner, id, heir.process, heir.machine.farewell());
        }
    }

    /// Reads, in their order, the messages that an ended child has not read, if they are for homes
    /// that this node answers for.
    pub(super) fn read_for_heirs(&'static self, inner: &mut Inner, id: NodeId, unread: &[Vec<u8>]) {
        for message in unread {
            if let Some(Note::Dead { dead, retires, retiring, retired, unread, .. }) =
                Note::in_message(message)
            {
                let departures = Departures { others: Departure::of(retires), retiring };
                for (at, node) in dead.into_iter().enumerate() {
                    let retired = if at == 0 { &*retired } else { &[] };
                    let node = NodeId(node);
                    let departure = departures.of(node);
                    inner.estates.lost(node, departure, retired, true, |author| {
                        said_by(&unread, author, node)
                    });
                }
            }
            for one in authors(self.id, id, vec![message.clone()]) {
                let to = NodeId(one.to);
                if let Some(heir) = inner.estates.heirs.get_mut(&to)
                    && let Ok(message) = wire::decode(to, &mut one.message.clone())
                {
                    let _ = heir.machine.handle(NodeId(one.from), message, &mut heir.out);
                    inner.estates.stir(to);
                }
            }
        }
    }

    /// Tells all that these homes go on, but that the memory that they had kept is with the root.
    pub(super) fn moved(&'static self, inner: &mut Inner, from: NodeId, moved: Vec<u64>) {
        self.ask_again(inner, &moved);
        let note = Note::Moved(moved);
        for peer in inner.peers.others(from) {
            inner.peers.note(peer, &note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: NodeId = NodeId(1);
    const CHILD: NodeId = NodeId(2);

    /// Returns waves of which a peer has told, each with a message that was withheld. A child has
    /// not answered.
    fn deaths(waves: &[&[u64]]) -> Deaths {
        let mut deaths = Deaths::default();
        for (at, dead) in waves.iter().enumerate() {
            let unread = vec![UnreadMessage { from: 9, to: dead[0], message: vec![at as u8] }];
            for node in *dead {
                deaths.closing.insert(NodeId(*node), dead[0]);
            }
            let (waits_for, source) = (HashSet::from([CHILD]), NewsSource::Peer(SOURCE));
            let wave = DeathWave { dead: dead.to_vec(), waits_for, source, unread };
            deaths.waves.insert(dead[0], wave);
        }
        deaths
    }

    /// Node 6 was dying when the node before it died as well.
    #[test]
    fn nodes_that_are_dead_together_have_no_wave_any_more() {
        let mut deaths = deaths(&[&[6], &[5, 6]]);
        let withheld = deaths.withheld(&[5, 6]);
        let order: Vec<u8> = withheld.iter().map(|one| one.message[0]).collect();
        assert_eq!(order, [0, 1], "the older message comes first");
        assert!(deaths.are_told());
    }

    #[test]
    fn a_node_passes_nothing_on_after_it_has_said_so() {
        let mut deaths = deaths(&[&[5]]);
        assert!(!deaths.bounce(CHILD, NodeId(5), &[1]), "it is passed on");
        deaths.waves.get_mut(&5).expect("a wave").waits_for.clear();
        assert!(deaths.bounce(CHILD, NodeId(5), &[2]), "it is kept");
        let withheld = deaths.withheld(&[5]);
        assert!(withheld.iter().any(|one| (one.from, one.to, &*one.message) == (2, 5, &[2])));
    }
}
