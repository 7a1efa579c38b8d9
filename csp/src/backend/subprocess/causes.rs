//! Causes of poison, on their way between OS processes. Each keeps its identity: the same poison, wherever it comes back to.

use super::bytes::Bytes;
use super::protocol::{Ending, Last, NodeId};
use super::told;
use crate::termination::{Cause, Poison, Termination};

/// As many as are told apart; what is older is taken for another if it comes again.
const KNOWN: usize = 1024;
/// So many bytes say which poison it is.
pub(crate) const IDENTITY: usize = 16;

pub(crate) struct Causes {
    me: NodeId,
    next: u64,
    known: Vec<(Poison, Bytes)>,
    pub(super) lost: Last<NodeId, Poison, KNOWN>,
}

impl Causes {
    pub(crate) fn new(me: NodeId) -> Self {
        Self { me, next: 0, known: Vec::new(), lost: Last::default() }
    }

    pub(crate) fn encode(&mut self, poison: &Poison) -> Bytes {
        if let Some((_, bytes)) = self.known.iter().find(|(known, _)| known == poison) {
            return bytes.clone();
        }
        let mut bytes = Vec::new();
        // Who met it first, and its number there.
        bytes.extend(self.me.0.to_le_bytes());
        bytes.extend(self.next.to_le_bytes());
        bytes.extend(told::encode(poison.cause()));
        self.next += 1;
        let bytes = Bytes::from(bytes);
        self.know(poison.clone(), bytes.clone());
        bytes
    }

    /// By which this poison is known again, wherever it comes to.
    pub(crate) fn identity(&mut self, poison: &Poison) -> [u8; IDENTITY] {
        self.encode(poison)[..IDENTITY].try_into().expect("an identity and a cause")
    }

    /// The poison of that identity.
    pub(crate) fn met(&mut self, identity: [u8; IDENTITY], cause: Cause) -> Poison {
        let known = |(_, bytes): &&(Poison, Bytes)| bytes.get(..IDENTITY) == Some(&identity[..]);
        if let Some((poison, _)) = self.known.iter().find(known) {
            return poison.clone();
        }
        let bytes = [&identity[..], &told::encode(&cause)].concat();
        let poison = Poison::new(cause);
        self.know(poison.clone(), Bytes::from(bytes));
        poison
    }

    fn know(&mut self, poison: Poison, bytes: Bytes) {
        if self.known.len() >= KNOWN {
            self.known.remove(0);
        }
        self.known.push((poison, bytes));
    }

    fn decode(&mut self, bytes: &Bytes) -> Poison {
        if let Some((poison, _)) = self.known.iter().find(|(_, known)| known == bytes) {
            return poison.clone();
        }
        let cause = told::decode(bytes.get(IDENTITY..).unwrap_or_default());
        let poison = Poison::new(cause);
        self.know(poison.clone(), bytes.clone());
        poison
    }

    /// A node is dead; this is what its channels are poisoned with.
    pub(crate) fn lost(&mut self, node: NodeId, poison: Poison) {
        if !self.lost.contains(&node) {
            self.lost.insert(node, poison);
        }
    }

    /// An ending, as a process sees it.
    pub(crate) fn termination(&mut self, ending: &Ending<Bytes>) -> Termination {
        Termination::Poisoned(match ending {
            Ending::Retired => return Termination::Retired,
            Ending::Poisoned(bytes) => self.decode(bytes),
            Ending::Lost(node) => {
                if let Some(poison) = self.lost.get(node) {
                    return Termination::Poisoned(poison.clone());
                }
                // The news of who it was is still on its way.
                let message = "the OS process that the channel depended on has ended".to_owned();
                let poison = Poison::new(Cause::Lost { process: "unknown".to_owned(), message });
                self.lost.insert(*node, poison.clone());
                poison
            }
        })
    }
}
