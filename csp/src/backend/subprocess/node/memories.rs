//! Memory on its way. The node that has packed memory up keeps it until the end of a channel that
//! goes with it has retired. The node that unpacks the value asks for the memory. Questions and
//! answers go by the control channels, from process to process along the tree. A thread that does
//! nothing else sends each of them, because a thread that reads must never wait until it has sent.
//!
//! A node that ends well leaves the memory that it keeps to the root, which answers for the dead.

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use crate::backend::memory::store::Memory;
use crate::backend::subprocess::protocol::Numbers;
use crate::system::helper::Helper;

/// The nodes' messages about memory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Carried {
    Want(Want),
    /// Announces the answer with this number, which comes next. The answer may not arrive whole if
    /// a descriptor is lacking.
    Coming(AskedBy),
    /// Answers a question. `None`: the memory is not to be had.
    Have(AskedBy, Option<IpcSharedMemory>),
    /// The keeper has ended, so only the root can have the memory.
    Ended(Want),
    /// The keeper has ended: keeper, channel, and the memory.
    Left(u64, u64, IpcSharedMemory),
}

/// Asks the keeper for the memory that goes with the channel.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Want {
    pub(super) keeper: u64,
    pub(super) channel: u64,
    pub(super) asked: AskedBy,
}

/// The node that asks, and the number of its question.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AskedBy {
    pub(super) by: u64,
    pub(super) number: u64,
}

/// The answer to a question.
pub(crate) enum Fetched {
    Here(Memory),
    Sent(IpcSharedMemory),
}

#[derive(Default)]
pub(super) struct Memories {
    /// Memory that this node has packed up and nobody has asked for, by the channels that go with
    /// it.
    pub(super) kept: HashMap<u64, Memory, Numbers>,
    /// The channels, by the operations that wait for their end.
    pub(super) watched: HashMap<u64, u64, Numbers>,
    /// Memory left by other nodes.
    pub(super) left: HashMap<(u64, u64), IpcSharedMemory>,
    pub(super) wants: HashMap<u64, (Want, mpsc::Sender<IpcSharedMemory>), Numbers>,
    pub(super) next: u64,
    /// This node ends, and has left the memory that it kept.
    pub(super) gone: bool,
}

/// Sends a child something.
pub(super) type Tell = Arc<dyn Fn(Carried) -> bool + Send + Sync>;

/// Tells the OS process above something, if this one is a child.
static ABOVE: OnceLock<fn(Carried)> = OnceLock::new();

/// Sets how the OS process above is told something.
pub(super) fn tell_above_by(tell: fn(Carried)) {
    let _ = ABOVE.set(tell);
}

pub(super) fn tell_parent(carried: Carried) {
    if let Some(tell) = ABOVE.get() {
        tell(carried);
    }
}

pub(super) enum ServingJob {
    Route(Carried),
    /// Unmapping takes time.
    Drop(Memory),
}

/// The thread that sends, so that no other thread waits until something is sent.
pub(super) struct Serving {
    pub(super) thread: Helper,
    pub(super) jobs: mpsc::Sender<ServingJob>,
    /// Kept until the thread takes it.
    pub(super) waiting: Mutex<Option<mpsc::Receiver<ServingJob>>>,
}

impl Default for Serving {
    fn default() -> Self {
        let (jobs, waiting) = mpsc::channel();
        let thread = Helper::new("csp buffers", 128 << 10);
        Self { thread, jobs, waiting: Mutex::new(Some(waiting)) }
    }
}
