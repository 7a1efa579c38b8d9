//! The news of all stream links of a node, in one place. So a leader looks once for them, however many there
//! are. Without the feature `hosts` there are no such links, and nothing is looked at.

#![allow(unsafe_code)]

#[cfg(feature = "hosts")]
use std::sync::Mutex;
#[cfg(feature = "hosts")]
use std::sync::atomic::{AtomicBool, Ordering};

use super::mailbox::Mailbox;
use super::region::Region;
use crate::backend::subprocess::protocol::NodeId;
#[cfg(feature = "hosts")]
use crate::system::mutex::lock;

/// The peers whose streams have brought something.
#[derive(Default)]
pub(in crate::backend::subprocess) struct StreamNews {
    #[cfg(feature = "hosts")]
    some: AtomicBool,
    #[cfg(feature = "hosts")]
    peers: Mutex<Vec<NodeId>>,
}

#[cfg(feature = "hosts")]
impl StreamNews {
    #[inline(always)]
    pub(in crate::backend::subprocess) fn is_empty(&self) -> bool {
        !self.some.load(Ordering::SeqCst)
    }

    /// Records news of a peer. The caller notifies the mailbox afterwards.
    pub(in crate::backend::subprocess) fn put(&self, peer: NodeId) {
        lock(&self.peers).push(peer);
        self.some.store(true, Ordering::SeqCst);
    }

    /// Takes all news. News that comes meanwhile is seen at the next look.
    pub(in crate::backend::subprocess) fn take(&self) -> Vec<NodeId> {
        self.some.store(false, Ordering::SeqCst);
        std::mem::take(&mut lock(&self.peers))
    }
}

#[cfg(not(feature = "hosts"))]
impl StreamNews {
    #[inline(always)]
    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess) fn is_empty(&self) -> bool {
        true
    }

    #[allow(clippy::unused_self, reason = "it has something with the feature")]
    pub(in crate::backend::subprocess) fn take(&self) -> Vec<NodeId> {
        Vec::new()
    }
}

/// The longest value that goes to another host, packed. A message is not much longer, so its receiver need not
/// take more.
#[cfg(feature = "hosts")]
pub(super) const LONGEST_VALUE: usize = 64 << 20;

#[cfg(feature = "hosts")]
static HAS_STREAMS: AtomicBool = AtomicBool::new(false);

/// Limits the length of values from now on, because an OS process of the network has a stream. Returns whether it
/// had no limit before.
#[cfg(feature = "hosts")]
pub(in crate::backend::subprocess) fn limit_values() -> bool {
    !HAS_STREAMS.swap(true, Ordering::Relaxed)
}

/// Returns that it had a limit before, because nothing needs one.
#[cfg(not(feature = "hosts"))]
pub(in crate::backend::subprocess) fn limit_values() -> bool {
    false
}

/// Returns whether the length of values is limited.
#[cfg(feature = "hosts")]
pub(in crate::backend::subprocess) fn are_values_limited() -> bool {
    HAS_STREAMS.load(Ordering::Relaxed)
}

/// Returns the length of the longest value that may be written. Shared memory takes any.
#[inline(always)]
pub(in crate::backend::subprocess) fn longest_value() -> usize {
    #[cfg(feature = "hosts")]
    if are_values_limited() {
        return LONGEST_VALUE;
    }
    usize::MAX
}

/// Where a peer is told that something was published for it.
#[derive(Clone)]
pub(in crate::backend::subprocess) enum PeerMailbox {
    /// In memory that both have.
    Shared(Region),
    /// Nowhere: it reads a stream.
    #[cfg(feature = "hosts")]
    Absent,
}

impl PeerMailbox {
    /// Returns `None` if there is too little memory.
    pub(in crate::backend::subprocess) fn shared(memory: Region) -> Option<Self> {
        (memory.len() >= size_of::<Mailbox>()).then_some(Self::Shared(memory))
    }

    #[inline(always)]
    #[cfg_attr(not(feature = "hosts"), allow(clippy::unnecessary_wraps, reason = "as above"))]
    pub(in crate::backend::subprocess) fn get(&self) -> Option<&Mailbox> {
        match self {
            // SAFETY: `repr(C)`, atomics only.
            Self::Shared(memory) => Some(unsafe { memory.header() }),
            #[cfg(feature = "hosts")]
            Self::Absent => None,
        }
    }
}
