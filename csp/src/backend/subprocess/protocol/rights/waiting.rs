//! Messages that wait for news, up to a limit. Some are about ends whose setting out is not known
//! here yet. Others are statements about nodes that are not known to be dead.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::super::{Message, NodeId, TransitId, Wild};

/// The most messages of one node that wait, and the most statements of one node about others that
/// are not known to be dead.
pub(in crate::backend::subprocess::protocol) const MOST: usize = 65_536;

/// The messages of nodes of which one message waits for the news of a journey.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) struct Waiting<V, P> {
    pub(in crate::backend::subprocess::protocol) queues: BTreeMap<NodeId, VecDeque<Message<V, P>>>,
}

impl<V, P> Default for Waiting<V, P> {
    fn default() -> Self {
        Self { queues: BTreeMap::new() }
    }
}

impl<V, P> Waiting<V, P> {
    #[inline]
    pub(in crate::backend::subprocess::protocol) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(in crate::backend::subprocess::protocol) fn push(
        &mut self,
        from: NodeId,
        message: Message<V, P>,
    ) -> Result<(), Wild> {
        let queue = self.queues.entry(from).or_default();
        if queue.len() >= MOST {
            return Err(Wild("too many messages behind the news of an end that does not come"));
        }
        queue.push_back(message);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) enum Ahead {
    Ask { from: NodeId, transit: TransitId },
    Gone { from: NodeId, transit: TransitId },
}

impl Ahead {
    pub(super) fn from(self) -> NodeId {
        match self {
            Ahead::Ask { from, .. } | Ahead::Gone { from, .. } => from,
        }
    }
}

/// Statements about nodes that are not yet known to be dead here.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(in crate::backend::subprocess::protocol) struct Statements {
    pub(super) about: BTreeMap<NodeId, Vec<Ahead>>,
    /// The number of these that each node has made.
    pub(super) stated: BTreeMap<NodeId, usize>,
}

impl Statements {
    #[cfg(test)]
    pub(in crate::backend::subprocess::protocol) fn is_empty(&self) -> bool {
        self.about.is_empty()
    }

    /// Returns how many statements of this node, about nodes that are not known to be dead, are
    /// kept.
    pub(in crate::backend::subprocess::protocol) fn of(&self, node: NodeId) -> usize {
        self.stated.get(&node).copied().unwrap_or(0)
    }

    /// Keeps a statement until the node that it is about is known to be dead.
    pub(in crate::backend::subprocess::protocol) fn push(&mut self, about: NodeId, ahead: Ahead) {
        *self.stated.entry(ahead.from()).or_default() += 1;
        self.about.entry(about).or_default().push(ahead);
    }

    /// Takes the statements about a node that have come early.
    pub(in crate::backend::subprocess::protocol) fn take(&mut self, about: NodeId) -> Vec<Ahead> {
        let all = self.about.remove(&about).unwrap_or_default();
        for ahead in &all {
            if let Some(stated) = self.stated.get_mut(&ahead.from()) {
                *stated = stated.saturating_sub(1);
                if *stated == 0 {
                    self.stated.remove(&ahead.from());
                }
            }
        }
        all
    }
}
