//! A node: this OS process's part in the network. One machine, the links to its peers, and who here waits for what.
//!
//! Whoever waits *leads*: it looks into the links, handles what has come, and wakes whom that concerns; one thread at a
//! time. A thread of the node's own, the router, does so while nobody leads.
//!
//! What holds:
//! - Under the node's lock no code of the user's runs, and no other lock is taken.
//! - A process that is in that table waits: its waiter and slot stay where they are until it was taken out.
//! - What has come over a link is handled in its order, and what was said in the course of it is on its way, before
//!   anything that came later is.
//! - A value with ends in it is not published before the departures of these ends are.
#![allow(unsafe_code)]

mod deaths;
mod lead;
mod memories;
mod peers;
pub(crate) mod waves;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};

use self::deaths::Deaths;
use self::lead::Leadership;
use self::memories::{Memories, Serving};
use self::peers::{Peer, Peers};
use self::waves::Waves;
use super::away;
use super::boot::ToChild;
use super::bytes::Bytes;
use super::causes::{Causes, IDENTITY};
use super::link::{LINK, RingLink, Side};
use super::mailbox::Mailbox;
use super::protocol::{
    ChannelId, Departure, Direction, Ending, Event, Few, Machine, NodeId, Numbers, Offer, OpId,
    Out, Outcome, Parcel, Table, Token,
};
use super::region::Region;
use super::wire::Wired;
use crate::sync::{Cell, UnsafeCell};
use crate::termination::{Cause, Poison, Termination};
use crate::waiter::Waiter;

pub(crate) use self::lead::{is_linked, lead, poke, ring};
pub(crate) use self::memories::{Carried, Fetched, Heard};

/// What a child needs to join its parent's network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    node: u64,
    parent: u64,
    rings: IpcSharedMemory,
    /// The child's mailbox.
    mailbox: IpcSharedMemory,
    /// Its parent's.
    parents: IpcSharedMemory,
}

/// What a child is started with.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: NodeId,
    pub(crate) shared: Shared,
}

pub(crate) struct Node {
    id: NodeId,
    parent: Option<NodeId>,
    /// The mailbox, to be sent along.
    memory: IpcSharedMemory,
    mailbox: Region,
    leadership: Leadership,
    /// Which peers there are has changed so often.
    round: Arc<AtomicU32>,
    /// Something waits to be sent.
    backed_up: AtomicBool,
    /// A peer has not been told of something that the sender is about to wait upon itself.
    unrung: AtomicBool,
    peers: AtomicUsize,
    waves: Waves,
    /// Messages sent, ever.
    #[cfg(test)]
    sent: std::sync::atomic::AtomicU64,
    routing: Once,
    serving: Serving,
    inner: Mutex<Inner>,
}

/// Who here waits, by the number of the operation. Touched under the node's lock only; the gate is asked under that, too.
struct Operations(UnsafeCell<Table<u64, Standing>>);

// SAFETY: one thread at a time has the node's lock.
unsafe impl Sync for Operations {}
// SAFETY: as above.
unsafe impl Send for Operations {}

impl Operations {
    /// # Safety
    /// The caller has the node's lock.
    #[inline(always)]
    unsafe fn insert(&self, op: u64, standing: Standing) {
        // SAFETY: nobody else is here, and nothing of the table is handed out.
        unsafe { (*self.0.get()).insert(op, standing) };
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn get(&self, op: u64) -> Option<Standing> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).get(&op).copied() }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn remove(&self, op: u64) -> Option<Standing> {
        // SAFETY: as above.
        unsafe { (*self.0.get()).remove(&op) }
    }
}

/// A process that waits for an operation.
#[derive(Clone, Copy)]
struct Standing {
    waiter: NonNull<Waiter>,
    slot: NonNull<Slot>,
    mixed: bool,
}

// SAFETY: what it points at is used under the node's lock, while the process waits.
unsafe impl Send for Standing {}

/// Where the outcome of an operation is put, on the stack of the process that waits for it.
pub(crate) struct Slot(Cell<Option<Came>>);

/// What became of an operation.
pub(crate) enum Came {
    /// Of the guard with this number among those that were offered.
    Done {
        guard: u16,
        parcel: Option<Received>,
    },
    Ended {
        guard: u16,
        ending: Ending<Bytes>,
    },
}

/// A value that has come, and the ends in it; dropped, they are.
pub(crate) struct Received {
    pub(crate) node: &'static Node,
    pub(crate) body: Bytes,
    pub(crate) tokens: Vec<Token>,
}

impl Drop for Received {
    fn drop(&mut self) {
        for token in self.tokens.drain(..) {
            self.node.drop_end(token.channel, token.direction);
        }
    }
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self(Cell::new(None))
    }

    pub(crate) fn take(&self) -> Option<Came> {
        self.0.take()
    }
}

/// An operation that was begun.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) op: u64,
    /// It is over already, and nobody will wake its process.
    pub(crate) over: bool,
}

struct Inner {
    machine: Machine<Bytes, Bytes>,
    out: Out<Bytes, Bytes>,
    peers: Peers,
    deaths: Deaths,
    causes: Causes,
    operations: Arc<Operations>,
    /// The operation of the process that is calling.
    own: Option<u64>,
    /// It is over.
    over: bool,
    /// The operation of the thread that leads until that is over.
    led: Option<u64>,
    /// Messages that wait for others on another link, and all that is to follow them.
    held_back: Vec<(NodeId, Wired)>,
    /// Channels by which a promised value is to come.
    promises: Vec<ChannelId>,
    memories: Memories,
    head: Vec<u8>,
    /// What came last.
    message: Vec<u8>,
}

static NODE: OnceLock<&'static Node> = OnceLock::new();

#[cfg(test)]
std::thread_local! {
    /// In tests a thread may be a node of its own.
    static HERE: std::cell::Cell<Option<&'static Node>> = const { std::cell::Cell::new(None) };
}

/// A number that no other process has drawn, nor will.
fn draw() -> NodeId {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    NodeId(hasher.finish())
}

fn map(mut memory: IpcSharedMemory) -> Option<Region> {
    // SAFETY: the reference is gone at once; from then on nobody looks but through regions.
    let bytes = unsafe { memory.deref_mut() };
    let (start, length) = (NonNull::new(bytes.as_mut_ptr())?, bytes.len());
    // SAFETY: mapped for reading and writing as long as the memory is held, which this keeps from all others.
    Some(unsafe { Region::new(start, length, Arc::new(memory)) })
}

impl Node {
    /// The node that this OS process is.
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

    /// The same, if it has anything to do with others.
    pub(crate) fn linked() -> Option<&'static Node> {
        #[cfg(test)]
        if let Some(node) = HERE.get() {
            return Some(node);
        }
        NODE.get().copied()
    }

    fn new(id: NodeId, parent: Option<NodeId>, memory: IpcSharedMemory) -> &'static Node {
        let mailbox = map(memory.clone()).expect("memory for a mailbox");
        assert!(mailbox.len() >= size_of::<Mailbox>());
        let operations = Arc::new(Operations(UnsafeCell::default()));
        let mut out = Out::new(id);
        let table = Arc::clone(&operations);
        out.gate = Box::new(move |op, guard| {
            // SAFETY: the machine asks, which is called under the lock.
            let Some(standing) = (unsafe { table.get(op.seq) }) else { return false };
            // SAFETY: it is in the table, so its process waits.
            let waiter = unsafe { standing.waiter.as_ref() };
            match guard {
                Some(guard) => waiter.commit(away::number(guard)),
                None => waiter.hold(),
            }
        });
        let inner = Inner {
            machine: Machine::new(id),
            out,
            peers: Peers::default(),
            deaths: Deaths::default(),
            causes: Causes::new(id),
            operations,
            own: None,
            over: false,
            led: None,
            held_back: Vec::new(),
            promises: Vec::new(),
            memories: Memories::default(),
            head: Vec::new(),
            message: Vec::new(),
        };
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
            waves: Waves::default(),
            #[cfg(test)]
            sent: std::sync::atomic::AtomicU64::new(0),
            routing: Once::new(),
            serving: Serving::new(),
            inner: Mutex::new(inner),
        }))
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Messages sent, ever.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether the channel's home is this node.
    pub(crate) fn is_home_of(&self, channel: ChannelId) -> bool {
        channel.home == self.id
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing of the user's runs under it, so nothing panics; if it has, the network is beyond help anyhow.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailbox(&self) -> &Mailbox {
        // SAFETY: `repr(C)`, atomics only.
        unsafe { self.mailbox.header() }
    }

    /// Does something with the machine, and all that follows from it.
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

    /// Begins a read, write or alternation for a process that then waits, or has it taken back.
    ///
    /// # Safety
    /// Waiter and slot stay where they are until the operation is over or was [taken back](Self::take_back).
    pub(crate) unsafe fn begin(
        &'static self,
        offers: Few<(u16, Offer<Bytes>)>,
        waiter: &Waiter,
        slot: &Slot,
        how: How,
    ) -> Begun {
        let lazy = waiter.is_alone();
        let mut inner = self.lock();
        let op = inner.machine.next();
        let mixed = how == How::Mixed || how == How::MixedPoll;
        let standing = Standing { waiter: NonNull::from(waiter), slot: NonNull::from(slot), mixed };
        // SAFETY: under the lock.
        unsafe { inner.operations.insert(op.seq, standing) };
        (inner.own, inner.over) = (Some(op.seq), false);
        if how == How::Led {
            inner.led = Some(op.seq);
        }
        let Inner { machine, out, .. } = &mut *inner;
        machine.begin(offers, mixed, out);
        if how == How::Poll || how == How::MixedPoll {
            machine.probe(op, out);
        }
        self.spread(&mut inner, lazy);
        inner.own = None;
        let over = inner.over;
        drop(inner);
        if over {
            // It does not wait, and may not come back for long.
            self.ring_all();
        }
        Begun { op: op.seq, over }
    }

    /// Takes an operation back: its process will be woken, unless that is so already.
    pub(crate) fn withdraw(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.get(op) }.is_some() {
            let op = OpId { node: self.id, seq: op };
            let Inner { machine, out, .. } = &mut *inner;
            machine.withdraw(op, out);
            self.spread(&mut inner, false);
        }
    }

    /// The process of a mixed operation goes on, perhaps because it was served otherwise: when this returns nobody touches what
    /// it has on its stack. Always under the lock: who is just telling it something holds that.
    pub(crate) fn take_back(&'static self, op: u64) {
        let mut inner = self.lock();
        // SAFETY: under the lock.
        if unsafe { inner.operations.remove(op) }.is_some() {
            let id = OpId { node: self.id, seq: op };
            let Inner { machine, out, .. } = &mut *inner;
            machine.withdraw(id, out);
            self.spread(&mut inner, false);
        }
    }

    /// What has come of operations is told, what was said is sent.
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
        let seq = event.op.seq;
        // SAFETY: under the lock.
        let Some(standing) = (unsafe { inner.operations.remove(seq) }) else {
            if self.may_let_go(inner, seq) {
                return;
            }
            if let Outcome::Done { parcel: Some(parcel), .. } = event.outcome {
                debug_assert!(false, "what is done is waited for");
                let Inner { machine, out, .. } = inner;
                for token in parcel.tokens {
                    machine.drop_end(token.channel, token.direction, out);
                }
            }
            return;
        };
        if inner.led == Some(seq) {
            inner.led = None;
        }
        // SAFETY: they were in the table.
        let (waiter, slot) = unsafe { (standing.waiter.as_ref(), standing.slot.as_ref()) };
        let wakes = match event.outcome {
            Outcome::Done { guard, parcel } => {
                slot.0.set(Some(Came::Done { guard, parcel: parcel.map(received) }));
                waiter.performed(away::number(guard));
                true
            }
            Outcome::Ended { guard, ending } => {
                let at_once = !standing.mixed || !matches!(ending, Ending::Retired);
                slot.0.set(Some(Came::Ended { guard, ending }));
                waiter.ended_beyond(at_once)
            }
            Outcome::Withdrawn if standing.mixed => false,
            Outcome::Withdrawn => {
                waiter.withdrawn();
                true
            }
            Outcome::Released => waiter.begins_anew(),
        };
        if wakes && inner.own == Some(seq) {
            inner.over = true;
        } else if wakes {
            waiter.wake();
        }
    }
}

/// How an operation is begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Alone,
    /// Its thread has been [chosen](Node::choose) to lead, and does until it is over.
    Led,
    /// The process has other guards too.
    Mixed,
    /// Only what can be had now.
    Poll,
    MixedPoll,
}

/// Channels and their ends.
impl Node {
    /// A channel of this OS process becomes one that others reach. `ends`: of which sides there are any; `handles`: whether.
    pub(crate) fn share(
        &'static self,
        capacity: usize,
        (readers, writers): (bool, bool),
        handles: bool,
        ended: Option<&Termination>,
    ) -> ChannelId {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        let channel = machine.create(capacity);
        if readers {
            machine.add_end(channel, Direction::Read);
        }
        if writers {
            machine.add_end(channel, Direction::Write);
        }
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

    pub(crate) fn preload(&'static self, channel: ChannelId, parcel: Parcel<Bytes>) {
        self.with(|machine, out| machine.preload(channel, parcel, out));
    }

    pub(crate) fn add_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, _| machine.add_end(channel, direction));
    }

    pub(crate) fn drop_end(&'static self, channel: ChannelId, direction: Direction) {
        self.with(|machine, out| machine.drop_end(channel, direction, out));
    }

    pub(crate) fn drop_handle(&'static self, channel: ChannelId) {
        self.with(|machine, out| machine.drop_handle(channel, out));
    }

    pub(crate) fn poison(&'static self, channel: ChannelId, poison: &Poison) {
        let mut inner = self.lock();
        let Inner { machine, out, causes, .. } = &mut *inner;
        machine.poison(channel, causes.encode(poison), out);
        self.spread(&mut inner, false);
    }

    pub(crate) fn finish(&'static self, op: u64, channel: ChannelId) {
        let op = OpId { node: self.id, seq: op };
        self.with(|machine, out| machine.finish(op, channel, out));
    }

    pub(crate) fn depart(
        &'static self,
        channel: ChannelId,
        direction: Direction,
        via: NodeId,
    ) -> Token {
        self.with(|machine, out| machine.depart(channel, direction, via, out))
    }

    /// A value will be written to this channel that has been committed already. If it comes to be stored there, because its
    /// reader has died, this OS process lasts until it is taken.
    pub(crate) fn promises(&'static self, channel: ChannelId) {
        let mut inner = self.lock();
        let Inner { promises, machine, .. } = &mut *inner;
        machine.promise(channel);
        promises.retain(|promise| machine.has_stored(*promise).is_some());
        promises.push(channel);
    }

    pub(crate) fn arrive(&'static self, token: Token) {
        self.with(|machine, out| machine.arrive(token, out));
    }

    pub(crate) fn discard(&'static self, token: Token) {
        self.with(|machine, out| machine.discard(token, out));
    }

    /// How a channel has ended, as far as is known here without asking.
    pub(crate) fn ending(
        &'static self,
        channel: ChannelId,
        direction: Direction,
    ) -> Option<Termination> {
        if channel.home != self.id {
            return None;
        }
        let mut inner = self.lock();
        let ending = inner.machine.ending(channel, direction)?;
        Some(inner.causes.termination(&ending))
    }

    /// By which a poison is known again, wherever it comes to.
    pub(crate) fn identity(&'static self, poison: &Poison) -> [u8; IDENTITY] {
        self.lock().causes.identity(poison)
    }

    /// The poison of that identity.
    pub(crate) fn met(&'static self, identity: [u8; IDENTITY], cause: Cause) -> Poison {
        self.lock().causes.met(identity, cause)
    }

    pub(crate) fn termination(&'static self, ending: &Ending<Bytes>) -> Termination {
        self.lock().causes.termination(ending)
    }
}

/// Memory for a child that is about to be started, and a place in the network.
pub(crate) fn prepare() -> io::Result<Prepared> {
    Node::here().prepare()
}

/// The child `id` runs; how to end it if it breaks the rules, and how to tell it something.
pub(crate) fn started(
    id: NodeId,
    kill: impl Fn() + Send + 'static,
    tell: impl Fn(ToChild) -> bool + Send + Sync + 'static,
) {
    let mut inner = Node::here().lock();
    if let Some(peer) = inner.peers.get_mut(id) {
        peer.tell = Some(Arc::new(tell));
        peer.kill = Some(Box::new(kill));
        if peer.cut {
            peer.kill_it();
        }
    }
}

/// This OS process is a child, and joins its parent's network; before anything else does anything with channels.
pub(crate) fn join(shared: Shared) {
    let joined = NODE.get_or_init(|| Node::joining(shared));
    joined.begin_routing();
}

/// The node that started this one.
pub(crate) fn parent() -> Option<NodeId> {
    Node::here().parent
}

/// This OS process is about to end: waits until all is out that it had to say.
pub(crate) fn settle() {
    if let Some(node) = NODE.get() {
        node.settle();
        node.leave_memories();
    }
}

/// The child `id` has ended, and will say nothing more. Also what was prepared for a child that could not be started.
/// `process` and `message` say what was lost, to those who wait for it in vain.
pub(crate) fn ended(id: NodeId, departure: Departure, process: String, message: String) {
    Node::here().ended(id, departure, process, message);
}

impl Node {
    fn prepare(&'static self) -> io::Result<Prepared> {
        let id = draw();
        let rings = IpcSharedMemory::from_byte(0, LINK);
        let mailbox = IpcSharedMemory::from_byte(0, size_of::<Mailbox>());
        let shared = Shared {
            node: id.0,
            parent: self.id.0,
            rings: rings.clone(),
            mailbox: mailbox.clone(),
            parents: self.memory.clone(),
        };
        let too_little = || io::Error::other("too little shared memory");
        let link = map(rings).and_then(|rings| RingLink::new(&rings, Side::Parent));
        let link = link.ok_or_else(too_little)?;
        let mailbox = map(mailbox).ok_or_else(too_little)?;
        self.begin_routing();
        self.meet(Peer::new(id, Box::new(link), mailbox).ok_or_else(too_little)?);
        Ok(Prepared { id, shared })
    }

    fn joining(shared: Shared) -> &'static Node {
        let Shared { node, parent, rings, mailbox, parents } = shared;
        let parent = NodeId(parent);
        let node = Node::new(NodeId(node), Some(parent), mailbox);
        let peer = map(rings)
            .and_then(|rings| RingLink::new(&rings, Side::Child))
            .and_then(|link| Peer::new(parent, Box::new(link), map(parents)?));
        node.meet(peer.expect("memory of the size that the parent has made"));
        node
    }
}

#[cfg(test)]
pub(crate) mod tests;
