//! Homes that outlive their OS processes. A home is a node's part that owns channels. A node that
//! ends well while others need its home leaves it to its parent, which answers for it under the
//! same name. No other node can tell, except that the way is shorter by one step.
//!
//! Three statements hold:
//! - A node that has left handles nothing any more. Its heir reads, in their order, the messages
//!   that come after its estate.
//! - A home that nobody needs any more is reported dead, like any node that has ended.
//! - A node that ends well leaves the homes that it answers for together with its own.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

use crate::backend::subprocess::protocol::{Departure, Estate, Machine, NodeId, Numbers, Out};
use crate::backend::subprocess::transport::wire::Wired;
use crate::backend::subprocess::values::text;
use crate::channel::far::Bytes;

/// A home that is left, and its former process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Left {
    pub(super) estate: Estate<Bytes, Bytes>,
    /// Empty for the home of the node itself that leaves.
    pub(super) process: String,
}

pub(super) struct Heir {
    pub(super) machine: Machine<Bytes, Bytes>,
    pub(super) out: Out<Bytes, Bytes>,
    pub(super) process: String,
}

#[derive(Default)]
pub(super) struct Estates {
    pub(super) heirs: HashMap<NodeId, Heir, Numbers>,
    /// The estates of children that are about to end.
    pub(super) announced: HashMap<NodeId, Vec<Left>, Numbers>,
    /// Messages to homes that this node answers for: author, receiver and message.
    pub(super) said: VecDeque<(NodeId, NodeId, Wired)>,
    /// Homes that were told something else, and may be over.
    pub(super) stirred: Vec<NodeId>,
    /// One of these two has an entry, or this node has left.
    pub(super) are_stirred: bool,
    /// This node has left its own home.
    pub(super) left: bool,
}

impl Estates {
    #[inline]
    pub(super) fn answer_for(&self, node: NodeId) -> bool {
        !self.heirs.is_empty() && self.heirs.contains_key(&node)
    }

    #[inline]
    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    #[inline]
    pub(super) fn are_stirred(&self) -> bool {
        self.are_stirred
    }

    pub(super) fn queue(&mut self, from: NodeId, to: NodeId, message: Wired) {
        self.said.push_back((from, to, message));
        self.are_stirred = true;
    }

    pub(super) fn stir(&mut self, node: NodeId) {
        self.stirred.push(node);
        self.are_stirred = true;
    }

    pub(super) fn are_announced(&mut self, by: NodeId, estates: Vec<Left>) {
        self.announced.insert(by, estates);
    }

    /// Takes over the homes of a child that has ended. Returns the nodes whose homes go on here.
    pub(super) fn inherit(&mut self, id: NodeId, well: bool, process: &str) -> Vec<u64> {
        let estates = self.announced.remove(&id).filter(|_| well).unwrap_or_default();
        let mut moved = Vec::new();
        for Left { estate, process: whose } in estates {
            let Some(machine) = Machine::heir(estate) else { continue };
            let node = machine.id();
            let process = if node == id { process.to_owned() } else { text::name(whose) };
            self.heirs.insert(node, Heir { machine, out: Out::new(node), process });
            self.stir(node);
            moved.push(node.0);
        }
        moved
    }

    /// Tells the homes that a node is dead, or concludes it if that is not told. `unread`: the messages
    /// of each author to it that were not read. A message that was never sent has no effect.
    pub(super) fn lost(
        &mut self,
        node: NodeId,
        departure: Departure,
        retired: &[u64],
        is_told: bool,
        unread: impl Fn(NodeId) -> Vec<Wired>,
    ) {
        let mut names: Vec<NodeId> = self.heirs.keys().copied().filter(|id| *id != node).collect();
        names.sort_unstable();
        for id in names {
            if let Some(heir) = self.heirs.get_mut(&id) {
                let (machine, out) = (&mut heir.machine, &mut heir.out);
                let _ = match is_told {
                    true => machine.lost(node, departure, retired, unread(id), out),
                    false => machine.unreached(node, departure, unread(id), out),
                };
                self.stir(id);
            }
        }
    }
}
