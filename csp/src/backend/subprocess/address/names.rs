//! The names that a node has for the nodes of other programs.
//!
//! A program has drawn 48 bits by which all others know it. A node's name for it has these in front, and 16 bits of its
//! own behind them: the *salt*, another one for each connection. Three statements hold:
//! - A name stands for one connection only. A program that comes back has another name.
//! - A program has one name at a time, because it has one connection at a time. So no operation stands at
//!   a home under two names.
//! - All nodes order two programs in the same way, because the drawn bits come first. Reservations
//!   climb by that order, so they form no cycle.

use std::collections::HashMap;

use crate::backend::subprocess::protocol::NodeId;

/// The bits of a name that are the salt.
const SALT: u64 = 0xffff;
/// The most programs that are remembered. Each that has been connected costs some bytes.
const MOST: usize = 1 << 20;

/// A program, as all others know it.
pub(super) fn program(node: NodeId) -> u64 {
    node.0 & !SALT
}

/// The side that has asked for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum AskedBySide {
    /// The other program.
    There,
    /// This one.
    Here,
}

/// A connection to another program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Connected<K> {
    name: NodeId,
    key: K,
    asked: AskedBySide,
}

/// The reason why a program gets no name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum NameRefused {
    /// It is this one.
    Itself,
    /// It is connected already, by the other side, or another program says that it is this one.
    Connected,
    /// No salt is left.
    TooOften,
}

/// The names of one node. `K` is the key that a connection has proved.
#[derive(Clone, Debug)]
pub(super) struct Names<K> {
    me: NodeId,
    connected: HashMap<u64, Connected<K>>,
    /// The next salt of each program.
    salts: HashMap<u64, u64>,
    #[cfg(test)]
    fault: NameFault,
}

/// A mistake for models.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum NameFault {
    #[default]
    None,
    /// A connection that is made anew has the name of the one that was lost.
    SaltsAreUsedAgain,
    /// The connection that was lost lives on beside the new one.
    KeepsTheLost,
    /// The salt comes first.
    SaltsOrder,
    /// Any key may take a program's place.
    AnyKey,
}

impl<K: Copy + Eq> Names<K> {
    pub(super) fn new(me: NodeId) -> Self {
        Self {
            me,
            connected: HashMap::new(),
            salts: HashMap::new(),
            #[cfg(test)]
            fault: NameFault::None,
        }
    }

    /// Returns a new name for the program that `node` belongs to, and the name of its connection that is over now. That one was
    /// lost, and this side has not noticed it. `is_known` tells whether a name is in use.
    pub(super) fn meet(
        &mut self,
        node: NodeId,
        key: K,
        asked: AskedBySide,
        is_known: impl Fn(NodeId) -> bool,
    ) -> Result<(NodeId, Option<NodeId>), NameRefused> {
        let program = program(node);
        if program == self::program(self.me) {
            return Err(NameRefused::Itself);
        }
        let lost = match self.connected.get(&program) {
            None => None,
            // It would not ask again if it still had that connection.
            Some(old) if (old.key == key || self.takes_any_key()) && old.asked == asked => {
                Some(old.name)
            }
            Some(_) => return Err(NameRefused::Connected),
        };
        if !self.salts.contains_key(&program) && self.salts.len() >= MOST {
            return Err(NameRefused::TooOften);
        }
        let next = self.salts.entry(program).or_default();
        let name = loop {
            if *next > SALT {
                return Err(NameRefused::TooOften);
            }
            let name = NodeId(program | *next);
            *next += 1;
            if !is_known(name) {
                break name;
            }
        };
        #[cfg(test)]
        let name = self.planted(name, program);
        self.connected.insert(program, Connected { name, key, asked });
        Ok((name, lost))
    }

    /// Records that a connection is over.
    pub(super) fn lost(&mut self, name: NodeId) {
        let program = program(name);
        if self.connected.get(&program).is_some_and(|connected| connected.name == name) {
            self.connected.remove(&program);
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "models plant mistakes")]
    fn takes_any_key(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod model;
