//! The moments at which the readers of the queue came, beside lines.
//!
//! A reader may leave the queue at any time, and nobody says so here. So what is known of one that has left is forgotten when the next one
//! comes from the same address, or when more than half of all have left.

use std::collections::{BTreeMap, BTreeSet};

use crate::commit::queue::Queue;
use crate::commit::queue::line::{BEHIND, Stamp, address_of_last, addresses_of};

/// So many may have left however few there are.
const FEW: usize = 32;

pub(super) struct Arrivals {
    /// By the addresses of their offers.
    moments: BTreeMap<usize, Stamp>,
    /// Those that have left are forgotten if there are more than this.
    most: usize,
}

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self { moments: BTreeMap::new(), most: FEW }
    }

    /// Notes that the last reader of the queue comes now.
    pub(super) fn note_last<T>(&mut self, queue: &Queue<T>, now: Stamp) {
        let Some(last) = address_of_last(queue) else { return };
        self.moments.insert(last, now);
        if self.moments.len() > self.most {
            let there: BTreeSet<_> = addresses_of(queue).collect();
            self.moments.retain(|address, _| there.contains(address));
            self.most = 2 * self.moments.len() + FEW;
        }
    }

    /// Returns when the reader with the offer at this address came. A reader that stood before there were lines has no note.
    pub(super) fn of(&self, address: usize) -> Stamp {
        self.moments.get(&address).copied().unwrap_or(BEHIND)
    }
}
