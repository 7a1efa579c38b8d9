//! Links that are streams, and the words that go by them.

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

use super::{Hearer, LAST, LONGEST, MORE, PIECE};
use crate::backend::subprocess::node::memories;
use crate::backend::subprocess::node::peers::{CONTROL, Kill, Peer};
use crate::backend::subprocess::node::{Carried, NODE, Node, draw};
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::transport::inbox::PeerMailbox;
use crate::backend::subprocess::transport::mailbox::Mailbox;
use crate::backend::subprocess::transport::stream::{
    LinkLoss, PEER_TIMEOUT, StreamEnder, StreamEnds, StreamLink, StreamOwner, StreamSide,
};

pub(crate) use crate::backend::subprocess::node::memories::{AskedBy, Want as WantedMemory};

/// Returns the name of this node.
pub(crate) fn here() -> u64 {
    Node::here().id.0
}

/// All that a child needs to join its parent's network by a stream.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StreamInvitation {
    node: u64,
    parent: u64,
    timeout: Duration,
}

impl StreamInvitation {
    /// Invites a node whose name is drawn here. Both sides give each other up after this time without a word.
    pub(in crate::backend::subprocess) fn draw(timeout: Option<Duration>) -> Self {
        let timeout = timeout.unwrap_or(PEER_TIMEOUT);
        Self { node: draw().0, parent: Node::here().id.0, timeout }
    }

    pub(in crate::backend::subprocess) fn id(&self) -> NodeId {
        NodeId(self.node)
    }

    pub(in crate::backend::subprocess) fn parent(&self) -> NodeId {
        NodeId(self.parent)
    }
}

/// Prepares the place in the network of a child that is about to be started, and the link to it, which
/// is a stream.
pub(in crate::backend::subprocess) fn prepare_stream(
    invitation: &StreamInvitation,
    ends: StreamEnds,
    on_loss: impl FnOnce(LinkLoss) + Send + 'static,
) -> io::Result<StreamEnder> {
    let node = Node::here();
    node.refuse_copies()?;
    node.begin_serving()?;
    let (id, timeout) = (invitation.id(), invitation.timeout);
    node.meet_by_stream(id, ends, StreamSide::Starter, timeout, None, on_loss)
}

/// Joins the parent's network by a stream, as `join` does by memory that both have.
pub(in crate::backend::subprocess) fn join_stream(
    invitation: StreamInvitation,
    ends: StreamEnds,
    above: fn(Carried),
    end: fn(&str),
    on_loss: impl FnOnce(LinkLoss) + Send + 'static,
) -> io::Result<()> {
    memories::tell_above_by(above);
    let StreamInvitation { node, parent, timeout } = invitation;
    let (node, parent) = (NodeId(node), NodeId(parent));
    let node = NODE.get_or_init(|| Node::to_join_by_stream(node, parent));
    let end: Kill = Box::new(end);
    node.meet_by_stream(parent, ends, StreamSide::Started, timeout, Some(end), on_loss)?;
    Ok(())
}

/// Links that are streams.
impl Node {
    /// Makes the link to the peer `id`, which is a stream. `on_loss` is called once its messages
    /// have all come, on a thread that must not wait. `kill` ends the peer, or this OS process in its
    /// place. It is known before the first message of the peer is handled.
    pub(in crate::backend::subprocess::node) fn meet_by_stream(
        &'static self,
        id: NodeId,
        ends: StreamEnds,
        side: StreamSide,
        timeout: Duration,
        kill: Option<Kill>,
        on_loss: impl FnOnce(LinkLoss) + Send + 'static,
    ) -> io::Result<StreamEnder> {
        let owner = StreamOwner { news: &self.streams, mailbox: self.mailbox() };
        let link = StreamLink::new(ends, side, timeout, id, owner, on_loss)?;
        self.begin_routing()?;
        let ender = link.ender();
        self.meet(Peer { kill, ..Peer::new(id, Box::new(link), PeerMailbox::Absent) });
        let mut inner = self.lock();
        self.limit_values(&mut inner, id);
        self.notify(&mut inner, false);
        drop(inner);
        // Something may have come while the peer was not known.
        self.streams.put(id);
        self.mailbox().notify_or_ring();
        Ok(ender)
    }

    /// Makes the node `id`, whose parent it will meet by a stream.
    pub(in crate::backend::subprocess::node) fn to_join_by_stream(
        id: NodeId,
        parent: NodeId,
    ) -> &'static Node {
        let memory = IpcSharedMemory::from_byte(0, size_of::<Mailbox>());
        Node::new(id, Some(parent), memory)
    }
}

/// Has `hear` called with each word of this peer.
pub(in crate::backend::subprocess) fn hear_control(
    peer: NodeId,
    hear: impl Fn(Vec<u8>) + Send + 'static,
) {
    let hearer = Hearer { hear: Box::new(hear), pieces: Vec::new() };
    Node::here().lock().controls.heard.insert(peer, hearer);
}

/// Sends a word to this peer. A peer that is gone gets nothing, which the end of its link tells.
///
/// # Errors
/// Returns an error if the word is too long.
pub(in crate::backend::subprocess) fn say_control(peer: NodeId, word: &[u8]) -> Result<(), String> {
    if word.len() > LONGEST {
        return Err(format!(
            "{} bytes are to go to another host at once, and {LONGEST} is the most: send them in parts, by a channel",
            word.len()
        ));
    }
    let node = Node::here();
    let mut inner = node.lock();
    let mut rest = word;
    while let Some(place) = inner.peers.places.get(&peer).copied() {
        let (piece, later) = rest.split_at(rest.len().min(PIECE));
        let kind = if later.is_empty() { LAST } else { MORE };
        let mut message = vec![CONTROL, kind];
        message.extend(piece);
        inner.peers.send(place, &message, None);
        rest = later;
        if kind == LAST {
            break;
        }
    }
    node.notify(&mut inner, false);
    Ok(())
}

/// Has the ends of a node behind a host retire if the host is lost.
pub(in crate::backend::subprocess) fn retires_if_lost(id: NodeId) {
    let mut inner = Node::here().lock();
    // It may be lost by now.
    if inner.peers.ways.contains_key(&id) {
        inner.deaths.retiring.insert(id);
    }
}

/// Returns whether a node may be one behind this peer: it is not this node, and has no other way.
pub(in crate::backend::subprocess) fn may_be_behind(peer: NodeId, id: NodeId) -> bool {
    let node = Node::here();
    let inner = node.lock();
    let (is_peer, way) = (inner.peers.is_peer(id), inner.peers.ways.get(&id));
    id != node.id && !is_peer && way.is_none_or(|way| *way == peer)
}

/// Hears this peer no more.
pub(in crate::backend::subprocess) fn forget_control(peer: NodeId) {
    let hearer = Node::here().lock().controls.heard.remove(&peer);
    drop(hearer);
}
