//! Floor 5. A node: this OS process's part in the network. It has one machine, the links to its peers, and a
//! table of the processes here that wait.
//!
//! A thread that waits *leads*: it polls the links, handles the messages that have come, and wakes
//! the processes that they concern. One thread leads at a time. A thread of the node's own, the
//! router, does so while no other leads.
//!
//! Five statements hold:
//! - Under the node's lock no user code runs. The locks that are taken under it are those of streams, which are held for moments.
//! - A process that is in the table waits. Its waiter and slot stay where they are until it was
//!   taken out.
//! - The messages of a link are handled in their order. The messages sent in the course of one are
//!   on their way before a later one is handled.
//! - A value with ends in it is not published before the departures of these ends are.
#![allow(unsafe_code)]

#[cfg(feature = "hosts")]
pub(super) mod control;
mod deaths;
mod estates;
mod lead;
mod links;
mod memories;
mod peers;
mod remote;
mod serving;
#[cfg(test)]
mod tests;
mod waves;

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use self::deaths::Deaths;
use self::estates::Estates;
use self::lead::Leadership;
use self::memories::{Memories, Serving};
use self::peers::Peers;
#[cfg(any(test, csp_fuzz))]
pub(super) use self::peers::unpack_notes;
use self::waves::Waves;
pub(crate) use self::{memories::Carried, memories::Fetched, serving::Heard};
#[cfg(test)]
pub(super) use self::{peers::samples::packed_notes, tests::forged};
use super::boot::descriptors;
use super::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Machine, NodeId, Numbers, Out, Outcome, Parcel,
    Table,
};
use super::transport::inbox::StreamNews;
use super::transport::link::LINK;
#[cfg(feature = "hosts")]
use super::transport::link::LinkWriter;
use super::transport::mailbox::Mailbox;
use super::transport::region::Region;
use super::transport::wire::Wired;
use super::values::causes::{Causes, NodeLoss};
use crate::backend::memory::store;
use crate::channel::far::Bytes;
use crate::channel::far::node::{Came, Received, Slot};
use crate::channel::far::operation::number;
use crate::commit::waiter::Waiter;
use crate::sync::UnsafeCell;
use crate::system::forked;
use crate::system::helper::Helper;
use crate::wait::future::wakes::Wakes;
#[cfg(feature = "hosts")]
use crate::watch::registry;

/// All that a child needs to join its parent's network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invitation {
    node: u64,
    parent: u64,
    rings: IpcSharedMemory,
    /// The child's mailbox.
    mailbox: IpcSharedMemory,
    /// The parent's mailbox.
    parents: IpcSharedMemory,
    /// The length of values is limited.
    #[cfg(feature = "hosts")]
    is_limited: bool,
}

/// The name of a child that is about to be started, and its share of the memory.
#[derive(Debug)]
pub(crate) struct PreparedChild {
    pub(crate) id: NodeId,
    pub(crate) shared: Invitation,
}

pub(crate) struct Node {
    id: NodeId,
    parent: Option<NodeId>,
    /// The mailbox, to be sent along.
    memory: IpcSharedMemory,
    mailbox: Region,
    leadership: Leadership,
    /// Counts the changes of the set of peers.
    round: Arc<AtomicU32>,
    /// Something waits to be sent.
    backed_up: AtomicBool,
    /// A peer has not been told of something that the sender is about to wait upon itself.
    unrung: AtomicBool,
    peers: AtomicUsize,
    /// The peers whose streams have brought something.
    streams: StreamNews,
    waves: Waves,
    /// The number of messages sent, ever.
    #[cfg(test)]
    sent: std::sync::atomic::AtomicU64,
    router: Helper,
    serving: Serving,
    /// The OS process that this is the node of. A copy of that process, made by `fork`, has no
    /// node.
    generation: u32,
    inner: Mutex<Inner>,
}

struct Inner {
    machine: Machine<Bytes, Bytes>,
    out: Out<Bytes, Bytes>,
    peers: Peers,
    deaths: Deaths,
    estates: Estates,
    causes: Causes,
    operations: Arc<Operations>,
    /// The operation of the process that is calling.
    own: Option<u64>,
    /// It is over.
    over: bool,
    /// The operation of the thread that leads until that operation is over.
    led: Option<u64>,
    /// Messages that wait for others on another link, and all messages that must follow them.
    held_back: Vec<(NodeId, Wired)>,
    memories: Memories,
    #[cfg(feature = "hosts")]
    controls: control::Controls,
    head: Vec<u8>,
    /// The last message that came.
    message: Vec<u8>,
    /// The ends that are dropped when these operations are over, which nobody awaits any more.
    left: HashMap<u64, (ChannelId, Direction), Numbers>,
    /// Wakers of other executors, whose operations are over. They are woken when the node is unlocked.
    later: Wakes,
    /// Streams to which something was sent. They are written to when the node is unlocked.
    #[cfg(feature = "hosts")]
    writers: LinkWriters,
}

/// The node, locked. The wakers in `later` are woken when this has unlocked it, because they are the user's code. Before
/// that the streams are written to, because that is a system call.
struct LockedNode<'a> {
    /// Goes first.
    inner: MutexGuard<'a, Inner>,
    #[cfg(feature = "hosts")]
    writers: LinkWriters,
    later: Wakes,
}

/// Links that write when this is dropped.
#[cfg(feature = "hosts")]
#[derive(Default)]
struct LinkWriters(Vec<Arc<dyn LinkWriter>>);

#[cfg(feature = "hosts")]
impl Drop for LinkWriters {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.iter().for_each(|writer| writer.write());
    }
}

impl Deref for LockedNode<'_> {
    type Target = Inner;

    #[inline(always)]
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for LockedNode<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for LockedNode<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        std::mem::swap(&mut self.later, &mut self.inner.later);
        #[cfg(feature = "hosts")]
        std::mem::swap(&mut self.writers, &mut self.inner.writers);
    }
}

/// The processes here that wait, by the number of the operation. The table is touched under the
/// node's lock only, and the gate is called under that lock, too.
struct Operations(UnsafeCell<Table<u64, StandingOperation>>);

// SAFETY: one thread at a time has the node's lock.
unsafe impl Sync for Operations {}
// SAFETY: as above.
unsafe impl Send for Operations {}

impl Operations {
    fn new() -> Self {
        Self(UnsafeCell::default())
    }

    /// # Safety
    /// The caller has the node's lock.
    #[inline(always)]
    unsafe fn insert(&self, op: u64, standing: StandingOperation) {
        // SAFETY: nobody else is here, and nothing of the table is handed out.
        unsafe { (*self.0.get()).insert(op, standing) };
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn get(&self, op: u64) -> Option<StandingOperation> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).get(&op).copied() }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn remove(&self, op: u64) -> Option<StandingOperation> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).remove(&op) }
    }

    /// Marks the operation in which the process of this context waits, if it waits in one. Returns
    /// it as it was before.
    ///
    /// # Safety
    /// The caller has the node's lock.
    unsafe fn mark(&self, context: usize) -> Option<(u64, StandingOperation)> {
        // SAFETY: nobody else is here, and nothing of the table is handed out.
        let table = unsafe { &mut *self.0.get() };
        // SAFETY: an operation in the table has a process that waits, so its waiter is there.
        let is_of =
            |standing: &StandingOperation| unsafe { standing.waiter.as_ref() }.is_of(context);
        let (op, standing) = table.each_mut().find(|(_, standing)| is_of(standing))?;
        let before = *standing;
        standing.dismissed = true;
        Some((*op, before))
    }
}

/// A process that waits for an operation.
#[derive(Clone, Copy)]
struct StandingOperation {
    waiter: NonNull<Waiter>,
    slot: NonNull<Slot>,
    mixed: bool,
    /// It is mixed only because its process may take it back at any time. So it has missed nothing when it is let go.
    pending: bool,
    /// Its thread ends, and has asked for it.
    dismissed: bool,
}

// SAFETY: the targets of its pointers are used under the node's lock only, while the process waits.
unsafe impl Send for StandingOperation {}

static NODE: OnceLock<&'static Node> = OnceLock::new();

#[cfg(test)]
std::thread_local! {
    /// In tests a thread may be a node of its own.
    static HERE: std::cell::Cell<Option<&'static Node>> = const { std::cell::Cell::new(None) };
}

/// Draws a number that no other process has drawn, nor will.
fn draw() -> NodeId {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    NodeId(hasher.finish())
}

fn map(mut memory: IpcSharedMemory) -> Option<Region> {
    // SAFETY: the reference is gone at once. From then on the memory is accessed through regions
    // only.
    let bytes = unsafe { memory.deref_mut() };
    let (start, length) = (NonNull::new(bytes.as_mut_ptr())?, bytes.len());
    // SAFETY: mapped for reading and writing as long as the memory is held, and this `Arc` holds
    // it.
    Some(unsafe { Region::new(start, length, Arc::new(memory)) })
}

impl Node {
    /// Returns the node that this OS process is.
    pub(crate) fn here() -> &'static Node {
        #[cfg(test)]
        if let Some(node) = HERE.get() {
            return node;
        }
        NODE.get_or_init(|| {
            let memory = IpcSharedMemory::from_byte(0, size_of::<Mailbox>());
            Node::new(draw(), None, memory)
        })
    }

    /// Returns the same node, if it is linked to others.
    pub(crate) fn linked() -> Option<&'static Node> {
        #[cfg(test)]
        if let Some(node) = HERE.get() {
            return Some(node);
        }
        NODE.get().copied()
    }

    fn new(id: NodeId, parent: Option<NodeId>, memory: IpcSharedMemory) -> &'static Node {
        let mailbox = map(memory.clone()).expect("memory for a mailbox");
        descriptors::keep();
        assert!(mailbox.len() >= size_of::<Mailbox>());
        // The gate commits or holds the waiter of a mixed operation when the machine asks.
        let operations = Arc::new(Operations::new());
        let mut out = Out::new(id);
        let table = Arc::clone(&operations);
        out.gate = Box::new(move |op, guard| {
            // SAFETY: the machine asks, and the machine is called under the lock.
            let Some(standing) = (unsafe { table.get(op.seq) }) else { return false };
            // SAFETY: it is in the table, so its process waits.
            let waiter = unsafe { standing.waiter.as_ref() };
            match guard {
                Some(guard) => waiter.commit(number(guard)),
                None => waiter.hold(),
            }
        });
        let table = Arc::clone(&operations);
        out.stands_again = Box::new(move |op| {
            // SAFETY: as above.
            let standing = unsafe { table.get(op.seq) }.filter(|standing| standing.pending);
            // SAFETY: as above.
            standing.is_some_and(|standing| unsafe { standing.waiter.as_ref() }.stands_again())
        });
        let inner = Inner {
            machine: Machine::new(id),
            out,
            peers: Peers::default(),
            deaths: Deaths::default(),
            estates: Estates::default(),
            causes: Causes::new(id),
            operations,
            own: None,
            over: false,
            led: None,
            held_back: Vec::new(),
            memories: Memories::default(),
            #[cfg(feature = "hosts")]
            controls: control::Controls::default(),
            head: Vec::new(),
            message: Vec::new(),
            left: HashMap::default(),
            later: Wakes::new(),
            #[cfg(feature = "hosts")]
            writers: LinkWriters::default(),
        };
        forked::watch();
        Box::leak(Box::new(Node {
            id,
            parent,
            memory,
            mailbox,
            leadership: Leadership::default(),
            round: Arc::clone(&inner.peers.round),
            backed_up: AtomicBool::new(false),
            unrung: AtomicBool::new(false),
            peers: AtomicUsize::new(0),
            streams: StreamNews::default(),
            waves: Waves::default(),
            #[cfg(test)]
            sent: std::sync::atomic::AtomicU64::new(0),
            router: Helper::new("csp router", 256 << 10),
            generation: forked::generation(),
            serving: Serving::default(),
            inner: Mutex::new(inner),
        }))
    }

    /// Returns the name of this node.
    #[cfg(any(test, feature = "address"))]
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Returns the number of messages sent, ever.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn lock(&self) -> LockedNode<'_> {
        // No user code runs under it, so nothing panics. If something has panicked, the network is
        // beyond help anyway.
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        LockedNode {
            inner,
            #[cfg(feature = "hosts")]
            writers: LinkWriters::default(),
            later: Wakes::new(),
        }
    }

    fn mailbox(&self) -> &Mailbox {
        // SAFETY: `repr(C)`, atomics only.
        unsafe { self.mailbox.header() }
    }

    /// Lets `act` use the machine, and sends and reports the effects.
    fn with<R>(
        &'static self,
        act: impl FnOnce(&mut Machine<Bytes, Bytes>, &mut Out<Bytes, Bytes>) -> R,
    ) -> R {
        let mut inner = self.lock();
        let Inner { machine, out, .. } = &mut *inner;
        let result = act(machine, out);
        self.spread(&mut inner, false);
        result
    }

    /// Reports the outcomes of operations, and sends the messages.
    #[inline]
    fn spread(&'static self, inner: &mut Inner, lazy: bool) {
        self.told(inner);
        self.notify(inner, lazy);
    }

    fn tell(&'static self, inner: &mut Inner, event: Event<Bytes, Bytes>) {
        let received = |parcel: Parcel<Bytes>| Received {
            node: self,
            body: parcel.body,
            tokens: parcel.tokens,
            turn: parcel.turn,
        };
        // No process waits: the operation may stand for memory that is kept.
        let seq = event.op.seq;
        // SAFETY: under the lock.
        let Some(standing) = (unsafe { inner.operations.remove(seq) }) else {
            if self.may_let_go(inner, seq) {
                return;
            }
            if let Outcome::Done { parcel: Some(parcel), .. } = event.outcome {
                let Inner { machine, out, .. } = inner;
                for token in parcel.tokens {
                    machine.drop_end(token.channel, token.direction, out);
                }
            }
            // A promised value is written, or the promise has gone back. So the end here is of no use any more.
            if let Some((late, direction)) = inner.left.remove(&seq) {
                inner.machine.drop_end(late, direction, &mut inner.out);
            }
            return;
        };
        // The outcome goes into the slot, and the waiter's word changes.
        if inner.led == Some(seq) {
            inner.led = None;
        }
        // SAFETY: they were in the table.
        let (waiter, slot) = unsafe { (standing.waiter.as_ref(), standing.slot.as_ref()) };
        let wakes = match event.outcome {
            Outcome::Done { guard, parcel } => {
                slot.put(Came::Done { guard, parcel: parcel.map(received) });
                waiter.performed(number(guard));
                true
            }
            Outcome::Ended { guard, ending, fate } => {
                let at_once = !standing.mixed || !matches!(ending, Ending::Retired);
                slot.put(Came::Ended { guard, ending, fate });
                waiter.ended_beyond(at_once)
            }
            Outcome::Withdrawn if standing.mixed => false,
            Outcome::Withdrawn => {
                waiter.withdrawn();
                true
            }
            Outcome::Released => waiter.begins_anew(),
        };
        // The calling process is told by the return, any other is woken.
        if wakes && inner.own == Some(seq) {
            inner.over = true;
        } else if wakes {
            waiter.wake_later(&mut inner.later);
        }
    }
}

/// Prepares the memory of a child that is about to be started, and its place in the network.
pub(crate) fn prepare() -> io::Result<PreparedChild> {
    // The memory that is made once is smaller than the memory that is made for each child.
    store::may_be_as_long(LINK)?;
    Node::here().prepare()
}

/// Records that the child `id` runs. `kill` ends it if it breaks the rules or has lost its stream, and `tell` sends it
/// something.
pub(crate) fn started(
    id: NodeId,
    kill: impl Fn(&str) + Send + 'static,
    tell: impl Fn(Carried) -> bool + Send + Sync + 'static,
) {
    Node::here().started(id, kill, tell);
}

/// Joins the parent's network. This OS process is a child, and calls this before it uses channels.
/// `above` tells its parent something. `end` ends this OS process if its parent breaks the rules.
pub(crate) fn join(shared: Invitation, above: fn(Carried), end: fn(&str)) -> io::Result<()> {
    memories::tell_above_by(above);
    let node = NODE.get_or_init(|| Node::joining(shared));
    for peer in &mut node.lock().peers.all {
        peer.kill = Some(Box::new(end));
    }
    node.begin_routing()
}

/// Returns the node that started this one.
pub(crate) fn parent() -> Option<NodeId> {
    Node::here().parent
}

/// Waits until all messages are out, because this OS process is about to end.
pub(crate) fn settle() {
    if let Some(node) = NODE.get().filter(|node| node.is_here()) {
        node.settle();
        node.leave_memories();
    }
}

/// Handles the end of the child `id`, which will send nothing more. Also ends a node that was
/// prepared for a child that could not be started. `process` and `message` name the loss to the
/// processes that wait for it in vain. `well`: it was not killed. Returns the rule that it has broken, if
/// that is why it has ended.
pub(crate) fn ended(
    id: NodeId,
    well: bool,
    departure: Departure,
    process: String,
    message: String,
) -> Option<String> {
    let loss = NodeLoss { process, message, host: None };
    Node::here().ended(id, well, departure, loss, &HashMap::new()).0
}

/// Handles the loss of a host, and of all behind it. The processes there may have read values that were on their way:
/// the loss that is returned counts them. Also returns the rule that the host process has broken, if that is why it is lost.
#[cfg(feature = "hosts")]
pub(crate) fn host_ended(id: NodeId, loss: NodeLoss) -> (Option<String>, NodeLoss) {
    // Channels are asked while nothing is locked.
    let mut names = HashMap::new();
    registry::each(|object, _| {
        if let Some((home, index)) = object.away() {
            let name = object.name().unwrap_or_else(|| object.birth().to_string());
            names.insert(ChannelId { home: NodeId(home), index }, name);
        }
    });
    Node::here().ended(id, false, Departure::Poisons, loss, &names)
}

impl Node {
    /// Returns whether this OS process is that of the node, and not a copy of it.
    #[inline]
    pub(in crate::backend::subprocess) fn is_here(&self) -> bool {
        self.generation == forked::generation()
    }
}
