//! The memory of nodes that have died. A question about one of them may still come. A message to or
//! from a dead node comes before many more nodes have died. A node that speaks to a forgotten dead
//! node finds no way there, and is told of the death once more.
//!
//! Nodes that could not be reached stand apart, because a peer may invent their names. So no names
//! push out those of nodes whose death was told.

use serde::{Deserialize, Serialize};

use super::super::table::Last;
use super::super::{Departure, NodeId};

#[derive(Clone, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) struct Dead {
    told: Last<NodeId, Departure, 4096>,
    unreached: Last<NodeId, Departure, 1024>,
}

impl Dead {
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn contains(&self, node: &NodeId) -> bool {
        self.told.contains(node) || self.unreached.contains(node)
    }

    pub(in crate::backend::subprocess::protocol) fn get(
        &self,
        node: &NodeId,
    ) -> Option<&Departure> {
        self.told.get(node).or_else(|| self.unreached.get(node))
    }

    /// Remembers a node. `is_told`: its death was told, and is not only concluded.
    pub(in crate::backend::subprocess::protocol) fn insert(
        &mut self,
        node: NodeId,
        departure: Departure,
        is_told: bool,
    ) {
        match is_told {
            true => self.told.insert(node, departure),
            false => self.unreached.insert(node, departure),
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.told.is_sound() && self.unreached.is_sound()
    }

    #[cfg(test)]
    pub(in crate::backend::subprocess::protocol) fn len(&self) -> usize {
        self.told.len()
    }
}
