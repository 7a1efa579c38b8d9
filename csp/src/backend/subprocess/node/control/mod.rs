//! Floor 5. The words of a host process and of its starter, beside the messages of their nodes. They go by the same
//! link, so neither overtakes the other.
//!
//! Invariant: only the link between a host process and its starter takes them.

#[cfg(feature = "address")]
pub(in crate::backend::subprocess) mod addressed;
pub(in crate::backend::subprocess) mod streams;

use std::collections::HashMap;

use crate::backend::subprocess::protocol::{NodeId, Numbers, Wild};

/// Takes a word that has come. It is called under the node's lock, so it waits for nothing.
pub(super) type HearControl = Box<dyn Fn(Vec<u8>) + Send>;

/// A word goes in pieces, so that other messages get their turn at the link.
const PIECE: usize = 128 << 10;
/// A longer word is refused.
const LONGEST: usize = 1 << 30;
/// The second byte of a piece.
const LAST: u8 = 0;
const MORE: u8 = 1;

/// The peers that are host processes, or the one that has started this host process.
#[derive(Default)]
pub(super) struct Controls {
    heard: HashMap<NodeId, Hearer, Numbers>,
}

struct Hearer {
    hear: HearControl,
    /// The pieces of a word that has not come whole.
    pieces: Vec<u8>,
}

impl Controls {
    pub(super) fn came(&mut self, from: NodeId, piece: &[u8]) -> Result<(), Wild> {
        let hearer = self.heard.get_mut(&from);
        let hearer = hearer.ok_or(Wild("a word from a peer that is no host"))?;
        let (kind, bytes) = piece.split_first().ok_or(Wild("an empty word"))?;
        if hearer.pieces.len() + bytes.len() > LONGEST {
            return Err(Wild("a word that is too long"));
        }
        hearer.pieces.extend(bytes);
        match *kind {
            LAST => (hearer.hear)(std::mem::take(&mut hearer.pieces)),
            MORE => {}
            _ => return Err(Wild("a word of no kind")),
        }
        Ok(())
    }
}
