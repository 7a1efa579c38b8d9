//! Ends that nodes believe to have, and that were never given to them. Another node has made them
//! believe so: it gave one end to two, or an end that never set out. Nobody is cut off because of an
//! end that it was given. A void end is as of a channel that has retired, and is counted here only so
//! that its holder can drop it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::{Direction, NodeId, Wild};
use super::waiting::MOST;

/// A journey of an end that its sender held, or of one that it only believed to have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) enum Journey {
    Real,
    Void,
}

/// The void ends of each node. Their channels need not be there.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) struct Voids(
    BTreeMap<NodeId, BTreeMap<(u64, Direction), u32>>,
);

impl Voids {
    /// Returns whether the node believes to hold such an end: of this direction, or of any.
    #[cold]
    pub(super) fn holds(&self, node: NodeId, index: u64, direction: Option<Direction>) -> bool {
        let Some(voids) = self.0.get(&node) else { return false };
        let has = |direction| voids.contains_key(&(index, direction));
        direction.map_or_else(|| has(Direction::Read) || has(Direction::Write), has)
    }

    /// Records that the node believes to hold one more end.
    pub(super) fn add(&mut self, node: NodeId, end: (u64, Direction)) -> Result<(), Wild> {
        let voids = self.0.entry(node).or_default();
        if voids.len() >= MOST && !voids.contains_key(&end) {
            return Err(Wild("too many ends that it was not given"));
        }
        let ends = voids.entry(end).or_default();
        *ends = ends.saturating_add(1);
        Ok(())
    }

    /// Returns how many void ends of this kind the node believes to hold.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn of(
        &self,
        node: NodeId,
        end: (u64, Direction),
    ) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        self.0.get(&node).and_then(|voids| voids.get(&end)).copied().unwrap_or(0)
    }

    /// Drops void ends of a node.
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn retire(
        &mut self,
        node: NodeId,
        end: (u64, Direction),
        ends: u32,
    ) {
        if ends == 0 {
            return;
        }
        let Some(voids) = self.0.get_mut(&node) else { return };
        match voids.get_mut(&end) {
            Some(void) if *void > ends => *void -= ends,
            _ => drop(voids.remove(&end)),
        }
        if voids.is_empty() {
            self.0.remove(&node);
        }
    }

    /// Forgets the void ends of a node that is dead, or has left.
    pub(in crate::backend::subprocess::protocol) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }
}
