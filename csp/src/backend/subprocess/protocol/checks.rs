//! What must hold at a home: after every call, and when nothing is left to happen.

use std::collections::VecDeque;

use super::home::Home;
use super::sim::Value;
use super::{Direction, Ending, Offer, OpId, Parcel};

impl Home<Value, ()> {
    fn free(&self, queue: &VecDeque<(OpId, u16)>) -> Vec<OpId> {
        let free = queue.iter().map(|(op, _)| *op);
        free.filter(|op| self.posts.get(op).is_some_and(|p| p.engaged.is_none())).collect()
    }

    /// What holds between any two calls.
    pub(super) fn check(&self) -> Option<&'static str> {
        for channel in self.channels.values() {
            let (readers, writers) = (self.free(&channel.readers), self.free(&channel.writers));
            let watchers = self.free(&channel.watchers);
            if !channel.stored.is_empty() && channel.on_offer.is_none() && !readers.is_empty() {
                return Some("a stored value and a free reader");
            }
            if channel.capacity == 0
                && channel.stored.is_empty()
                && readers.iter().any(|r| writers.iter().any(|w| r != w))
            {
                return Some("a free reader and a free writer");
            }
            let full = channel.stored.len() + channel.promised >= channel.capacity;
            if channel.ending.is_none() && !full && !writers.is_empty() {
                return Some("a free place and a free writer");
            }
            match &channel.ending {
                None => {}
                Some(Ending::Retired) => {
                    if !writers.is_empty() {
                        return Some("free writers of a retired channel");
                    }
                    // Who waits for its retirement waits for the last value to be read.
                    let drained = channel.stored.is_empty();
                    if drained && (!readers.is_empty() || !watchers.is_empty()) {
                        return Some("free readers or watchers of an empty retired channel");
                    }
                }
                Some(_) if readers.len() + writers.len() + watchers.len() > 0 => {
                    return Some("free offers on a poisoned channel");
                }
                Some(_) => {}
            }
            let queued = [&channel.readers, &channel.writers, &channel.watchers];
            if queued.into_iter().flatten().any(|(op, _)| !self.posts.contains_key(op)) {
                return Some("a ghost offer");
            }
        }
        let engaged = self.posts.values().filter_map(|post| post.engaged);
        match engaged.into_iter().all(|pair| self.pairs.contains_key(&pair)) {
            true => None,
            false => Some("engaged in no pair"),
        }
    }

    pub(super) fn check_quiet(&self) -> Option<&'static str> {
        if !self.pairs.is_empty() {
            return Some("a pair waits for an answer that will not come");
        }
        if !self.extended.is_empty() {
            return Some("a writer waits for a reader that has finished");
        }
        let tokens = self.values().map(|parcel| parcel.tokens.len()).sum();
        self.counts.check_quiet(tokens)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Parcel<Value>> {
        let stored = self.channels.values().flat_map(|channel| &channel.stored);
        let posted = self.posts.values().flat_map(|post| &post.guards);
        stored.chain(posted.filter_map(|(_, offer)| match offer {
            Offer::Write { parcel, .. } => Some(parcel),
            _ => None,
        }))
    }

    pub(super) fn counted(&self, index: u64, direction: Direction) -> u32 {
        self.counts.counted(index, direction)
    }

    pub(super) fn retired(&self, index: u64) -> bool {
        let channel = self.channels.get(&index);
        channel.is_none_or(|channel| channel.ending == Some(Ending::Retired))
    }

    pub(super) fn has_ended(&self, index: u64) -> bool {
        let channel = self.channels.get(&index);
        channel.is_none_or(|channel| channel.ending.is_some())
    }

    pub(super) fn stands(&self, op: OpId) -> bool {
        self.posts.contains_key(&op)
    }
}
