//! Memory on its way: who has packed it up keeps it, until the end of a channel that goes with it has retired; who unpacks it asks for it.
//! Questions and answers go by the control channels, from process to process along the tree, each sent by a thread that does
//! nothing else: who hears must never wait until it has sent.
//!
//! A node that ends well leaves what it keeps to the root, which answers for the dead.

use std::collections::HashMap;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use ipc_channel::ipc::IpcSharedMemory;
use serde::{Deserialize, Serialize};

use super::{Node, Numbers};
use crate::backend::subprocess::boot::child::tell_parent;
use crate::backend::subprocess::boot::{FromChild, ToChild};
use crate::backend::subprocess::memory::Memory;
use crate::backend::subprocess::protocol::{ChannelId, Direction, Few, NodeId, Offer, Token};
use crate::{park, quiet};

/// What nodes say to each other of memory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Carried {
    Want(Want),
    /// The next is an answer to this; it may not be had whole, for want of a descriptor.
    Coming(Asked),
    /// None: it is not to be had.
    Have(Asked, Option<IpcSharedMemory>),
    /// Whoever kept it has ended.
    Left(u64, u64, IpcSharedMemory),
}

/// What its keeper has for the channel.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Want {
    keeper: u64,
    channel: u64,
    asked: Asked,
}

/// Who asks, and which of its questions it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    by: u64,
    number: u64,
}

/// What was asked for.
pub(crate) enum Fetched {
    Here(Memory),
    Sent(IpcSharedMemory),
}

#[derive(Default)]
pub(super) struct Memories {
    /// What this node has packed up and nobody has asked for, by the channels that go with it.
    kept: HashMap<u64, Memory, Numbers>,
    /// The channels, by the operations that wait for their end.
    watched: HashMap<u64, u64, Numbers>,
    /// Left by others.
    left: HashMap<(u64, u64), IpcSharedMemory>,
    wants: HashMap<u64, (Want, mpsc::Sender<IpcSharedMemory>), Numbers>,
    next: u64,
    /// This node ends, and has left what it kept.
    gone: bool,
}

/// How a child is told something.
pub(super) type Tell = Arc<dyn Fn(ToChild) -> bool + Send + Sync>;

pub(super) enum Job {
    Route(Carried),
    /// Unmapping takes its time.
    Drop(Memory),
}

/// So often the root looks for what may be on its way to it from one that has ended.
const LOOKS: u32 = 50;

impl Node {
    /// Keeps memory that sets out in a value that `via` will have charge of: the end that goes with it.
    pub(crate) fn keep(&'static self, memory: Memory, via: NodeId) -> Token {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let (machine, out) = (&mut inner.machine, &mut inner.out);
        let channel = machine.create(0);
        machine.add_end(channel, Direction::Write);
        let token = machine.depart(channel, Direction::Read, via, out);
        machine.drop_handle(channel, out);
        inner.memories.kept.insert(channel.index, memory);
        inner.memories.watched.insert(machine.next().seq, channel.index);
        machine.begin(Few::one((0, Offer::Retired { channel })), false, out);
        self.spread(inner, false);
        token
    }

    /// An operation that no process waits for is over. If it was to tell that memory is kept in vain, it is not.
    pub(super) fn may_let_go(&'static self, inner: &mut super::Inner, op: u64) -> bool {
        let Some(index) = inner.memories.watched.remove(&op) else { return false };
        if let Some(memory) = inner.memories.kept.remove(&index) {
            self.serve(Job::Drop(memory));
        }
        let channel = ChannelId { home: self.id, index };
        inner.machine.drop_end(channel, Direction::Write, &mut inner.out);
        true
    }

    /// The memory that this end has come with. Waits for it.
    pub(crate) fn fetch(&'static self, token: Token) -> Result<Fetched, String> {
        let (keeper, channel) = (token.channel.home, token.channel.index);
        let lost = || "the OS process that wrote it has ended".to_owned();
        let mut inner = self.lock();
        if keeper == self.id {
            let kept = inner.memories.kept.remove(&channel);
            return kept.map(Fetched::Here).ok_or_else(lost);
        }
        let memories = &mut inner.memories;
        if let Some(shared) = memories.left.remove(&(keeper.0, channel)) {
            return Ok(Fetched::Sent(shared));
        }
        let (tell, told) = mpsc::channel();
        memories.next += 1;
        let asked = Asked { by: self.id.0, number: memories.next };
        let want = Want { keeper: keeper.0, channel, asked };
        memories.wants.insert(asked.number, (want, tell));
        drop(inner);
        self.serve(Job::Route(Carried::Want(want)));
        let wait = move || told.recv();
        let came = match park::current().is_polled() {
            true => wait(),
            false => crate::aside::io(wait),
        };
        came.map(Fetched::Sent).map_err(|_| lost())
    }

    /// Something has come by a control channel.
    pub(crate) fn carried(&'static self, carried: Carried) {
        match carried {
            Carried::Left(..) if self.parent.is_some() => tell_parent(FromChild::Memory(carried)),
            Carried::Left(keeper, channel, shared) => {
                self.lock().memories.left.insert((keeper, channel), shared);
            }
            carried => self.serve(Job::Route(carried)),
        }
    }

    /// This node ends: what it keeps is left to others.
    pub(super) fn leave_memories(&'static self) {
        let kept: Vec<(u64, Memory)> = {
            let memories = &mut self.lock().memories;
            memories.gone = true;
            memories.kept.drain().collect()
        };
        for (channel, memory) in kept {
            tell_parent(FromChild::Memory(Carried::Left(self.id.0, channel, memory.to_send())));
        }
    }

    /// These are dead: what was asked of them is asked of the root.
    pub(super) fn ask_again(&'static self, inner: &super::Inner, dead: &[u64]) {
        for (want, _) in inner.memories.wants.values() {
            if dead.contains(&want.keeper) {
                self.serve(Job::Route(Carried::Want(*want)));
            }
        }
    }

    fn serve(&'static self, job: Job) {
        let jobs = self.serving.get_or_init(|| {
            let (jobs, waiting) = mpsc::channel();
            let serves = move || {
                quiet::ignore_this_thread();
                for job in waiting {
                    match job {
                        Job::Route(carried) => self.route_memory(carried),
                        Job::Drop(memory) => drop(memory),
                    }
                }
            };
            let builder = thread::Builder::new().name("csp buffers".to_owned());
            let thread = builder.stack_size(128 * 1024).spawn(serves);
            thread.expect("a thread for shared buffers");
            jobs
        });
        // It never ends.
        let _ = jobs.send(job);
    }

    fn route_memory(&'static self, carried: Carried) {
        match carried {
            Carried::Want(want) if want.keeper == self.id.0 => {
                let (kept, gone) = {
                    let memories = &mut self.lock().memories;
                    (memories.kept.remove(&want.channel), memories.gone)
                };
                if kept.is_none() && gone {
                    // Whoever asks hears of this node's end, and asks the root.
                    return;
                }
                self.route_memory(Carried::Have(want.asked, kept.map(|memory| memory.to_send())));
            }
            Carried::Want(want) => {
                if !self.pass_on(NodeId(want.keeper), Carried::Want(want)) {
                    self.route_memory(Carried::Have(want.asked, self.left_by(want)));
                }
            }
            Carried::Have(Asked { by, number }, memory) if by == self.id.0 => {
                let want = self.lock().memories.wants.remove(&number);
                if let (Some((_, tell)), Some(memory)) = (want, memory) {
                    let _ = tell.send(memory);
                }
            }
            Carried::Have(asked, memory) => {
                let to = NodeId(asked.by);
                if memory.is_some() {
                    self.pass_on(to, Carried::Coming(asked));
                }
                self.pass_on(to, Carried::Have(asked, memory));
            }
            Carried::Coming(_) | Carried::Left(..) => {}
        }
    }

    /// What the dead have left, at the root.
    fn left_by(&'static self, want: Want) -> Option<IpcSharedMemory> {
        // It was sent before its keeper's death was told, but by another way.
        for _ in 0..LOOKS {
            let left = self.lock().memories.left.remove(&(want.keeper, want.channel));
            if left.is_some() {
                return left;
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// Whether there is a way there.
    fn pass_on(&'static self, to: NodeId, carried: Carried) -> bool {
        let (way, tell) = {
            let mut inner = self.lock();
            let Some(way) = inner.peers.way(to) else { return false };
            (way, inner.peers.get_mut(way).and_then(|peer| peer.tell.clone()))
        };
        if Some(way) == self.parent {
            tell_parent(FromChild::Memory(carried));
        } else if let Some(tell) = tell {
            // If it is dead, that is told.
            tell(ToChild::Memory(carried));
        }
        true
    }
}

/// What has come by a control channel, one after the other.
#[derive(Default)]
pub(crate) struct Heard(Option<Asked>);

impl Heard {
    pub(crate) fn carried(&mut self, carried: Carried) {
        match carried {
            Carried::Coming(asked) => self.0 = Some(asked),
            carried => {
                self.0 = None;
                Node::here().carried(carried);
            }
        }
    }

    /// It could not be had whole.
    pub(crate) fn garbled(&mut self) {
        if let Some(asked) = self.0.take() {
            Node::here().carried(Carried::Have(asked, None));
        }
    }
}

pub(super) type Serving = OnceLock<mpsc::Sender<Job>>;
