//! Links that were made by an address. Such a peer is neither above nor below. It says what
//! concerns its own operations and ends, and nothing else.
//!
//! No name goes from one program to another: on the link a node is either the one that says
//! something or the one that hears it. Each side has a name of its own for the other (`address/names.rs`). The
//! only other names are those of nodes that have sent an end out. They mean something to the home of that
//! end alone, and come back to it as they were.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;

use crate::backend::subprocess::node::peers::{Kill, Peer, values_by_channel};
use crate::backend::subprocess::node::{Inner, Node};
use crate::backend::subprocess::protocol::{Departure, Ending, Message, NodeId, Wild};
use crate::backend::subprocess::transport::inbox::PeerMailbox;
use crate::backend::subprocess::transport::stream::{
    LinkLoss, PEER_TIMEOUT, StreamEnder, StreamEnds, StreamLink, StreamOwner, StreamSide,
};
use crate::backend::subprocess::transport::wire::{self, Wired};
use crate::backend::subprocess::values::carry::ONE_CONNECTION;
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::report::termination::{Cause, Poison};

const FULL: &str = "65,536 operations of this program wait at the other program already, and it takes no more. Let fewer processes \
    wait for its channels at a time";

/// The names on a link: the node that says something, and the node that hears it.
const SPEAKER: NodeId = NodeId(1);
const HEARER: NodeId = NodeId(2);

/// Returns what one of the two nodes of a link is called on it.
pub(in crate::backend::subprocess) fn on_link(
    name: NodeId,
    speaker: NodeId,
    hearer: NodeId,
) -> Option<NodeId> {
    match name {
        name if name == speaker => Some(SPEAKER),
        name if name == hearer => Some(HEARER),
        _ => None,
    }
}

/// Returns what this node calls one of the two nodes of a link.
pub(in crate::backend::subprocess) fn off_link(
    name: NodeId,
    speaker: NodeId,
    hearer: NodeId,
) -> Option<NodeId> {
    match name {
        SPEAKER => Some(speaker),
        HEARER => Some(hearer),
        _ => None,
    }
}

/// The meaning of a name in a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NameOnLink {
    /// One of the two nodes of the link.
    Side,
    /// The node that has sent an end out.
    Origin,
}

/// Calls `rename` with each name of a node in a message.
fn each_name(
    message: &mut Wired,
    mut rename: impl FnMut(NameOnLink, &mut NodeId) -> Result<(), Wild>,
) -> Result<(), Wild> {
    match message {
        Message::MoveOut { transit, via, .. } => {
            rename(NameOnLink::Origin, &mut transit.origin)?;
            rename(NameOnLink::Side, via)?;
        }
        Message::MoveIn { transit, .. }
        | Message::Drop { transit, .. }
        | Message::Returned { transit, .. }
        | Message::Settled { transit } => rename(NameOnLink::Origin, &mut transit.origin)?,
        _ => {}
    }
    for token in message.parcels_mut().flat_map(|parcel| &mut parcel.tokens) {
        rename(NameOnLink::Side, &mut token.channel.home)?;
        rename(NameOnLink::Origin, &mut token.transit.origin)?;
    }
    Ok(())
}

/// Puts the names of this node's in place of those on the link. `speaker` has said the message.
fn from_link(message: &mut Wired, speaker: NodeId, hearer: NodeId) -> Result<(), Wild> {
    each_name(message, |named, name| {
        *name = match off_link(*name, speaker, hearer) {
            Some(here) => here,
            None if named == NameOnLink::Origin && *name != speaker && *name != hearer => *name,
            None => return Err(Wild("the name of a node that is not on this link")),
        };
        Ok(())
    })
}

/// Makes a message ready for a peer, if it goes to another program. Returns `None` if that is not to hear it.
pub(in crate::backend::subprocess::node) fn outgoing(
    inner: &mut Inner,
    to: NodeId,
    mut message: Wired,
) -> Option<Wired> {
    if inner.peers.by_address.is_empty() {
        return Some(message);
    }
    inner.machine.without_foreign_ends(to, &mut message);
    if !inner.peers.is_by_address(to) {
        return Some(message);
    }
    let me = inner.machine.id();
    match &mut message {
        // Only the cause means something there.
        Message::Closed { ending, .. } => {
            if let Ending::Lost(_) = ending
                && let Some(poison) = inner.causes.termination(ending).poison()
            {
                *ending = Ending::Poisoned(inner.causes.encode(poison));
            }
        }
        // Other nodes' deaths are not told.
        Message::Ask { .. } | Message::Gone { .. } | Message::Leaves => return None,
        _ => {}
    }
    let named = each_name(&mut message, |_, name| {
        *name = on_link(*name, me, to).unwrap_or(*name);
        Ok(())
    });
    named.ok().map(|()| message)
}

impl Node {
    /// Returns whether the link to this peer was made by an address.
    pub(crate) fn is_by_address(&self, id: NodeId) -> bool {
        self.lock().peers.is_by_address(id)
    }

    /// Makes the link to a node of another program. `kill` and `on_loss` are called on threads that must not wait, the first of
    /// them under the node's lock.
    pub(in crate::backend::subprocess) fn meet_by_address(
        &'static self,
        id: NodeId,
        ends: StreamEnds,
        poison_passes: bool,
        kill: Kill,
        on_loss: impl FnOnce(LinkLoss) + Send + 'static,
    ) -> io::Result<StreamEnder> {
        self.refuse_copies()?;
        self.begin_serving()?;
        {
            let mut inner = self.lock();
            inner.peers.by_address.insert(id, poison_passes);
            let cause = Cause::Lost {
                process: "an end".to_owned(),
                message: ONE_CONNECTION.to_owned(),
                host: None,
            };
            let told = inner.causes.encode(&Poison::new(cause));
            // It concerns the operation, and the channel goes on.
            let full = Cause::Serialization { process: "main".to_owned(), reason: FULL.to_owned() };
            let full = inner.causes.encode(&Poison::new(full));
            inner.machine.met_by_address(id, told, full);
        }
        let owner = StreamOwner { news: &self.streams, mailbox: self.mailbox() };
        // Neither side has started the other, so each waits as long.
        let timeout = PEER_TIMEOUT * 2 / 3;
        let link = StreamLink::new(ends, StreamSide::Starter, timeout, id, owner, on_loss);
        let met = link.and_then(|link| self.begin_routing().map(|()| link));
        let link = match met {
            Ok(link) => link,
            Err(error) => {
                let mut inner = self.lock();
                inner.peers.by_address.remove(&id);
                inner.machine.lost_by_address(id);
                return Err(error);
            }
        };
        let ender = link.ender();
        ender.begin();
        let peer = Peer::new(id, Box::new(link), PeerMailbox::Absent);
        self.meet(Peer { kill: Some(kill), ..peer });
        // Something may have come while the peer was not known.
        self.streams.put(id);
        self.mailbox().notify_or_ring();
        Ok(ender)
    }

    /// Lets the poison of this peer pass from now on.
    pub(in crate::backend::subprocess) fn pass_poison_of(&'static self, id: NodeId) {
        if let Some(passes) = self.lock().peers.by_address.get_mut(&id) {
            *passes = true;
        }
    }

    pub(in crate::backend::subprocess::node) fn received_by_address(
        &'static self,
        inner: &mut Inner,
        from: NodeId,
        message: &mut Vec<u8>,
    ) -> Result<(), Wild> {
        let mut message = wire::decode(self.id, message)?;
        from_link(&mut message, from, self.id)?;
        let passes = inner.peers.by_address.get(&from) == Some(&true);
        let Inner { machine, out, .. } = &mut *inner;
        let handled = match message {
            Message::Ask { .. } | Message::Gone { .. } | Message::Leaves => {
                Err(Wild("news of nodes of another program"))
            }
            Message::Closed { ending: Ending::Lost(_), .. } => {
                Err(Wild("the loss of a node of another program"))
            }
            Message::Poison { channel, cause } if !passes => {
                machine.judge_poison(from, channel, cause.clone()).map(|()| {
                    machine.retire_poisoner(from, channel, &cause, out);
                })
            }
            message => machine.handle(from, message, out),
        };
        self.told(inner);
        handled
    }

    /// Handles the loss of a link that was made by an address. The ends of its peer retire, except if its poison passes. Does nothing if
    /// the link is gone.
    pub(in crate::backend::subprocess) fn lost_by_address(
        &'static self,
        id: NodeId,
        process: String,
        message: String,
    ) {
        let mut inner = self.lock();
        let Some(place) = inner.peers.places.get(&id).copied() else { return };
        // Everything that has come is handled first.
        self.drain(&mut inner, place);
        let Some(mut peer) = inner.peers.remove(id) else { return };
        let broken = peer.cut.take();
        let mut left = peer.link.left().unwrap_or_default();
        left.unsent.append(&mut peer.unsent);
        let mut loss = NodeLoss { process, message, host: None };
        loss.may_have_read(&values_by_channel(self.id, id, left.unknown), &HashMap::new());
        if let Some(broken) = broken {
            loss.message = broken;
        }
        // A message that it has not received goes back whole.
        let unread = left.unsent.into_iter().filter_map(|mut message| {
            let mut message = wire::decode(id, &mut message).ok()?;
            from_link(&mut message, self.id, id).ok()?;
            Some(message)
        });
        let unread: Vec<Wired> = unread.collect();
        let NodeLoss { process, message, host } = loss.clone();
        let cause = Cause::Lost { process, message, host };
        inner.causes.lost(id, Poison::new(cause));
        let departure = match inner.peers.by_address.remove(&id) {
            Some(false) => Departure::Retires,
            _ => Departure::Poisons,
        };
        let Inner { machine, out, .. } = &mut *inner;
        machine.lost_by_address(id);
        let _ = machine.lost(id, departure, &[], unread, out);
        inner.deaths.dead.insert(id, (departure, loss));
        self.told(&mut inner);
        self.notify(&mut inner, false);
        self.peers.fetch_sub(1, Ordering::SeqCst);
        drop(inner);
        self.mailbox().shake();
        self.forget_gone();
    }

    /// Returns whether something waits to be sent to a peer of another program.
    pub(in crate::backend::subprocess) fn is_backed_up_by_address(&'static self) -> bool {
        let inner = self.lock();
        let mut theirs = inner.peers.all.iter().filter(|peer| inner.peers.is_by_address(peer.id));
        theirs.any(|peer| peer.cut.is_none() && peer.link.is_backed_up())
    }

    /// Returns whether another OS process of this program has started this one.
    pub(in crate::backend::subprocess) fn has_parent(&self) -> bool {
        self.parent.is_some()
    }

    /// Returns whether a name is that of a node that is known here.
    pub(in crate::backend::subprocess) fn knows(&'static self, id: NodeId) -> bool {
        let inner = self.lock();
        id == self.id || inner.peers.is_peer(id) || inner.peers.ways.contains_key(&id)
    }
}
