//! Floor 5. Ends that cross from one program to another, by a connection that an address has made.

use super::carry::{Carrying, Ends, What, Written, carrying, kind};
use super::probe::probe;
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::protocol::NodeId;
use crate::wait::quietly;
use serde::de::DeserializeOwned;

pub(in crate::backend::subprocess) const NO_BUFFER: &str =
    "a shared buffer can't go to another program: send its bytes as a `Vec<u8>`";

/// Returns whether this process packs a value for another program.
pub(in crate::backend::subprocess) fn is_for_another_program() -> bool {
    let via = carrying(|carrying| match carrying {
        Some(Carrying { what: What::Packing { via, .. }, .. }) => Some(*via),
        _ => None,
    });
    via.is_some_and(|via| Node::here().is_by_address(via))
}

/// Returns a number that tells types apart that two programs may mean by the same name: the names of its
/// structs, and how many fields each has.
pub(in crate::backend::subprocess) fn shape<T: DeserializeOwned>() -> u64 {
    let found = quietly::catch(probe::<T>).unwrap_or_default();
    let mut fields: Vec<(&str, usize)> = found.fields.into_iter().collect();
    fields.sort_unstable();
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let text: String = fields.iter().map(|(name, fields)| format!("{name} {fields};")).collect();
    text.bytes().fold(kind::<T>(), fold)
}

impl Ends {
    /// Replaces the names of nodes by those that `name` has for them. Returns `None` if it has none.
    pub(in crate::backend::subprocess) fn renamed(
        self,
        name: impl Fn(NodeId) -> Option<NodeId>,
    ) -> Option<Self> {
        let rename = |mut end: Written| {
            end.home = name(NodeId(end.home))?.0;
            end.origin = name(NodeId(end.origin))?.0;
            Some(end)
        };
        self.0.into_iter().map(rename).collect::<Option<Vec<Written>>>().map(Self)
    }
}
