//! Causes of poison, on their way between OS processes. Each keeps its identity: it is the same
//! poison, wherever it comes back to.

use std::collections::{BTreeMap, HashMap};

use super::sent;
use crate::backend::subprocess::protocol::{ChannelId, Ending, Last, NodeId};
use crate::channel::far::Bytes;
use crate::report::termination::{Cause, LostHost, Poison, Termination};

/// The number of poisons that are told apart. An older one is taken for a new one if it comes
/// again.
const KNOWN: usize = 1024;
/// The number of bytes that identify a poison.
pub(crate) const IDENTITY: usize = 16;

/// The reason of the death of a node: the process that ran there, and what has happened.
#[derive(Clone, Debug)]
pub(crate) struct NodeLoss {
    pub(crate) process: String,
    pub(crate) message: String,
    /// The host that is lost.
    pub(crate) host: Option<LostHost>,
}

impl NodeLoss {
    /// The most channels that a message names.
    const NAMED: usize = 4;

    pub(crate) fn cause(&self) -> Cause {
        let Self { process, message, host } = self.clone();
        Cause::Lost { process, message, host }
    }

    /// Adds the values that the node may have read, or not.
    pub(crate) fn may_have_read(
        &mut self,
        values: &BTreeMap<ChannelId, usize>,
        names: &HashMap<ChannelId, String>,
    ) {
        if values.is_empty() {
            return;
        }
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for (channel, values) in values {
            let name = names.get(channel).map_or("another channel", |name| name);
            *by_name.entry(name).or_default() += values;
        }
        let told = |(name, values): (&&str, &usize)| match values {
            1 => format!("1 value of `{name}`"),
            values => format!("up to {values} values of `{name}`"),
        };
        let mut parts: Vec<String> = by_name.iter().take(Self::NAMED).map(told).collect();
        let others: usize = by_name.values().skip(Self::NAMED).sum();
        if others > 0 {
            parts.push(format!("up to {others} of other channels"));
        }
        self.message.push_str(&format!("; it may have read {}", parts.join(" and ")));
        if let Some(host) = &mut self.host {
            let unknown = by_name.into_iter().map(|(name, values)| (name.to_owned(), values));
            *host = LostHost::new(host.name().to_owned(), host.unheard(), unknown.collect());
        }
    }
}

pub(crate) struct Causes {
    me: NodeId,
    next: u64,
    known: Vec<(Poison, Bytes)>,
    pub(in crate::backend::subprocess) lost: Last<NodeId, Poison, KNOWN>,
    /// Nodes of which only the name is known, which a peer may have invented.
    unknown: Last<NodeId, Poison, 64>,
}

impl Causes {
    pub(crate) fn new(me: NodeId) -> Self {
        Self { me, next: 0, known: Vec::new(), lost: Last::default(), unknown: Last::default() }
    }

    pub(crate) fn encode(&mut self, poison: &Poison) -> Bytes {
        if let Some((_, bytes)) = self.known.iter().find(|(known, _)| known == poison) {
            return bytes.clone();
        }
        let mut bytes = Vec::new();
        // The node that met it first, and its number there.
        bytes.extend(self.me.0.to_le_bytes());
        bytes.extend(self.next.to_le_bytes());
        bytes.extend(sent::encode(poison.cause()));
        self.next += 1;
        let bytes = Bytes::from(bytes);
        self.know(poison.clone(), bytes.clone());
        bytes
    }

    /// Returns the identity by which this poison is recognised, wherever it comes to.
    pub(crate) fn identity(&mut self, poison: &Poison) -> [u8; IDENTITY] {
        self.encode(poison)[..IDENTITY].try_into().expect("an identity and a cause")
    }

    /// Returns the poison of that identity.
    pub(crate) fn met(&mut self, identity: [u8; IDENTITY], cause: Cause) -> Poison {
        let known = |(_, bytes): &&(Poison, Bytes)| bytes.get(..IDENTITY) == Some(&identity[..]);
        if let Some((poison, _)) = self.known.iter().find(known) {
            return poison.clone();
        }
        let bytes = [&identity[..], &sent::encode(&cause)].concat();
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
        let cause = sent::decode(bytes.get(IDENTITY..).unwrap_or_default());
        let poison = Poison::new(cause);
        // Without an identity it gets one here, when it is sent on.
        if bytes.len() >= IDENTITY {
            self.know(poison.clone(), bytes.clone());
        }
        poison
    }

    /// Records the poison of a dead node's channels.
    pub(crate) fn lost(&mut self, node: NodeId, poison: Poison) {
        if !self.lost.contains(&node) {
            self.lost.insert(node, self.unknown.get(&node).cloned().unwrap_or(poison));
        }
    }

    /// Records the same for a node of which only the name is known.
    pub(crate) fn unreached(&mut self, node: NodeId, poison: Poison) {
        if !self.lost.contains(&node) && !self.unknown.contains(&node) {
            self.unknown.insert(node, poison);
        }
    }

    /// Returns an ending, as a process sees it.
    pub(crate) fn termination(&mut self, ending: &Ending<Bytes>) -> Termination {
        Termination::Poisoned(match ending {
            Ending::Retired => return Termination::Retired,
            Ending::Poisoned(bytes) => self.decode(bytes),
            Ending::Lost(node) => {
                if let Some(poison) = self.lost.get(node).or_else(|| self.unknown.get(node)) {
                    return Termination::Poisoned(poison.clone());
                }
                // The news of the dead node's name is still on its way.
                let message = "the OS process that the channel depended on has ended".to_owned();
                let poison =
                    Poison::new(Cause::Lost { process: "unknown".to_owned(), message, host: None });
                self.unknown.insert(*node, poison.clone());
                poison
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer may send a cause without an identity. It can be sent on.
    #[test]
    fn a_poison_without_an_identity_gets_one() {
        for length in 0..IDENTITY {
            let mut causes = Causes::new(NodeId(1));
            let came = Ending::Poisoned(Bytes::copy(&vec![7; length]));
            let Termination::Poisoned(poison) = causes.termination(&came) else {
                panic!("it is poison");
            };
            assert_eq!(causes.identity(&poison), causes.identity(&poison));
        }
    }

    /// The reasons of deaths that were told outlast any number of names.
    #[test]
    fn invented_nodes_do_not_push_out_the_dead() {
        let mut causes = Causes::new(NodeId(1));
        let cause =
            Cause::Lost { process: "worker".to_owned(), message: "killed".to_owned(), host: None };
        causes.lost(NodeId(2), Poison::new(cause));
        for node in 100..10_000 {
            causes.termination(&Ending::Lost(NodeId(node)));
        }
        let told = causes.termination(&Ending::Lost(NodeId(2))).to_string();
        assert!(told.contains("worker"), "{told}");
    }
}
