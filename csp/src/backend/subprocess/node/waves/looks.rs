//! Questions of nodes above, and the questions of this node with their answers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex};

use super::seen::SentNetwork;
use crate::backend::subprocess::protocol::NodeId;
use crate::system::helper::Helper;
use crate::wait::seen::others::SeenElsewhere;

/// The most questions that wait to be answered.
pub(super) const MOST_ASKED: usize = 64;

/// The most nodes that one question is for.
pub(super) const MOST_NODES: usize = 65_536;

/// Questions and answers.
pub(in crate::backend::subprocess::node) struct Looks {
    /// Questions of nodes above.
    pub(super) asked: Mutex<VecDeque<AskedFromAbove>>,
    pub(super) came: Condvar,
    /// Those of this node.
    pub(super) own: Mutex<OwnLooks>,
    pub(super) answered: Condvar,
    /// Looks, and answers.
    pub(super) looker: Helper,
}

pub(super) struct AskedFromAbove {
    pub(super) asker: u64,
    pub(super) number: u64,
    pub(super) below: Vec<u64>,
}

#[derive(Default)]
pub(super) struct OwnLooks {
    pub(super) last: u64,
    pub(super) open: HashMap<u64, OpenLook>,
}

/// A question without all of its answers.
pub(super) struct OpenLook {
    pub(super) awaited: HashSet<NodeId>,
    /// All that were ever awaited.
    pub(super) known: HashSet<NodeId>,
    pub(super) answers: Vec<SentNetwork>,
    pub(super) has_others: bool,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            came: Condvar::new(),
            own: Mutex::default(),
            answered: Condvar::new(),
            looker: Helper::new("csp looks", 512 << 10),
        }
    }
}

impl OpenLook {
    pub(super) fn awaits(&mut self, node: NodeId) {
        if self.known.len() < MOST_NODES && self.known.insert(node) {
            self.awaited.insert(node);
        }
    }

    pub(super) fn arrived(self) -> SeenElsewhere {
        SeenElsewhere {
            is_partial: !self.awaited.is_empty(),
            networks: self.answers.into_iter().map(SentNetwork::arrived).collect(),
            has_others: self.has_others,
        }
    }
}
