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

mod counting;
mod deaths;
mod estates;
mod lead;
mod links;
mod memories;
mod operations;
mod peers;
mod serving;
#[cfg(test)]
mod tests;
mod waves;

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use self::deaths::Deaths;
use self::estates::Estates;
use self::lead::Leadership;
use self::memories::{Memories, Serving};
use self::operations::{Operations, StandingOperation};
use self::peers::Peers;
use self::waves::Waves;
use super::boot::descriptors;
use super::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Few, Machine, NodeId, Numbers, Offer, OpId,
    Out, Outcome, Parcel, TakenPromise, Token,
};
use super::transport::inbox::StreamNews;
use super::transport::link::LINK;
use super::transport::mailbox::Mailbox;
use super::transport::region::Region;
use super::transport::wire::Wired;
use super::values::causes::Causes;
use crate::backend::memory::store;
use crate::channel::far::node::{Begun, Came, How, Received, Remote, Slot};
use crate::channel::far::operation::number;
use crate::channel::far::{Bytes, PROMISE};
use crate::commit::waiter::Waiter;
use crate::report::termination::{Poison, Termination};
use crate::system::forked;
use crate::system::helper::Helper;
use crate::wait::blocked::Dismissal;

#[cfg(feature = "hosts")]
pub(super) use self::links::{StreamInvitation, join_stream, prepare_stream};
#[cfg(any(test, csp_fuzz))]
pub(super) use self::peers::unpack_notes;
pub(crate) use self::{memories::Carried, memories::Fetched, serving::Heard};
#[cfg(test)]
pub(super) use self::{peers::samples::packed_notes, tests::forged};

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
    head: Vec<u8>,
    /// The last message that came.
    message: Vec<u8>,
}

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
            head: Vec::new(),
            message: Vec::new(),
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

    #[cfg(test)]
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Returns the number of messages sent, ever.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No user code runs under it, so nothing panics. If something has panicked, the network is
        // beyond help anyway.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
            Outcome::Ended { guard, ending } => {
                let at_once = !standing.mixed || !matches!(ending, Ending::Retired);
                slot.put(Came::Ended { guard, ending });
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
            waiter.wake();
        }
    }
}

/// Channels, their ends, and operations.
impl Remote for Node {
    fn share(
        &'static self,
        capacity: usize,
        (readers, writers): (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
    ) -> ChannelId {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        let channel = machine.create(capacity);
        // Each side counts as one end here.
        if readers {
            machine.add_end(channel, Direction::Read);
        }
        if writers {
            machine.add_end(channel, Direction::Write);
        }
        // The channel may have ended already.
        match ended {
            None => {}
            Some(Termination::Retired) => machine.close(channel, Ending::Retired, out),
            Some(Termination::Poisoned(poison)) => {
                machine.close(channel, Ending::Poisoned(causes.encode(poison)), out);
            }
        }
        if !handles {
            machine.drop_handle(channel, out);
        }
        self.spread(&mut inner, false);
        channel
    }

    fn preload(&'static self, channel: ChannelId, parcel: Parcel<Bytes>) {
        self.with(|machine, out| machine.preload(channel, parcel, out));
    }

    fn add_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, _| machine.add_end(channel, direction));
    }

    fn drop_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, out| machine.drop_end(channel, direction, out));
    }

    fn drop_handle(&'static self, channel: ChannelId) {
        self.with(|machine, out| machine.drop_handle(channel, out));
    }

    fn poison(&'static self, channel: ChannelId, poison: &Poison) {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        machine.poison(channel, causes.encode(poison), out);
        self.spread(&mut inner, false);
    }

    fn ending(&'static self, channel: ChannelId, direction: Direction) -> Option<Termination> {
        if channel.home != self.id {
            return None;
        }
        let mut inner = self.lock();
        let ending = inner.machine.ending(channel, direction)?;
        Some(inner.causes.termination(&ending))
    }

    fn termination(&'static self, ending: &Ending<Bytes>) -> Termination {
        self.lock().causes.termination(ending)
    }

    fn depart(&'static self, channel: ChannelId, direction: Direction, via: NodeId) -> Token {
        self.with(|machine, out| machine.depart(channel, direction, via, out))
    }

    fn discard(&'static self, token: Token) {
        self.with(|machine, out| machine.discard(token, out));
    }

    fn promises(&'static self, channel: ChannelId) {
        self.lock().machine.promise(channel);
    }

    fn is_home_of(&self, channel: ChannelId) -> bool {
        channel.home == self.id
    }

    fn choose(&'static self) -> bool {
        self.choose_this_thread()
    }

    fn discharge(&'static self) {
        self.discharge_this_thread();
    }

    unsafe fn begin(
        &'static self,
        offers: Few<(u16, Offer<Bytes>)>,
        waiter: &Waiter,
        slot: &Slot,
        how: How,
    ) -> Begun {
        let lazy = waiter.is_alone();
        let mut inner = self.lock();
        // The process stands in the table before the machine can decide.
        let op = inner.machine.next();
        let mixed = how == How::Mixed || how == How::MixedPoll;
        let (waiter, slot) = (NonNull::from(waiter), NonNull::from(slot));
        let standing = StandingOperation { waiter, slot, mixed, dismissed: false };
        // SAFETY: under the lock.
        unsafe { inner.operations.insert(op.seq, standing) };
        (inner.own, inner.over) = (Some(op.seq), false);
        if how == How::Led {
            inner.led = Some(op.seq);
        }
        // The machine's part.
        let Inner { machine, out, .. } = &mut *inner;
        machine.begin(offers, mixed, out);
        if how == How::Poll || how == How::MixedPoll {
            machine.probe(op, out);
        }
        self.spread(&mut inner, lazy);
        // An operation that is over already has woken nobody.
        inner.own = None;
        let over = inner.over;
        drop(inner);
        if over {
            // It does not wait, and may not come back for long.
            self.ring_all();
        }
        Begun { op: op.seq, over }
    }

    fn withdraw(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.get(op) }.is_some() {
            let op = OpId { node: self.id, seq: op };
            let Inner { machine, out, .. } = &mut *inner;
            machine.withdraw(op, out);
            self.spread(&mut inner, false);
        }
    }

    fn take_back(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.remove(op) }.is_some() {
            let id = OpId { node: self.id, seq: op };
            let Inner { machine, out, .. } = &mut *inner;
            machine.withdraw(id, out);
            self.spread(&mut inner, false);
        }
    }

    fn dismiss(
        &'static self,
        context: usize,
        last: bool,
        promise: Option<TakenPromise>,
    ) -> Dismissal {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        let Some((seq, standing)) = (unsafe { inner.operations.mark(context) }) else {
            return Dismissal::Nothing;
        };
        let StandingOperation { waiter, mixed, dismissed, .. } = standing;
        // The process takes a mixed operation back itself. Another OS process may just hold it.
        // SAFETY: it is in the table, so its process waits.
        let waiter = unsafe { waiter.as_ref() };
        if mixed && waiter.dismiss() {
            waiter.wake();
            return Dismissal::Done;
        }
        let op = OpId { node: self.id, seq };
        let Inner { machine, out, operations, .. } = &mut *inner;
        if last {
            // SAFETY: under the lock. Nothing of the process is touched from here on.
            unsafe { operations.remove(seq) };
            let promise = promise.map(|promise| (promise, Bytes::copy(&[PROMISE])));
            machine.abandon(op, promise, out);
        } else if !mixed && !dismissed {
            machine.withdraw(op, out);
        }
        self.spread(&mut inner, false);
        if mixed || dismissed { Dismissal::Expected } else { Dismissal::Asked }
    }

    fn give_back(&'static self, promise: TakenPromise) {
        self.with(|machine, out| machine.give_back(promise, Bytes::copy(&[PROMISE]), out));
    }

    fn finish(&'static self, op: u64, channel: ChannelId) {
        let op = OpId { node: self.id, seq: op };
        self.with(|machine, out| machine.finish(op, channel, out));
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
    Node::here().ended(id, well, departure, process, message)
}

impl Node {
    /// Returns whether this OS process is that of the node, and not a copy of it.
    #[inline]
    fn is_here(&self) -> bool {
        self.generation == forked::generation()
    }
}
