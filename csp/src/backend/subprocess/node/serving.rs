//! A node keeps memory, fetches it, and serves it to others.

use ipc_channel::ipc::IpcSharedMemory;
use std::sync::{PoisonError, mpsc};
use std::time::Duration;
use std::{io, thread};

use super::memories::{AskedBy, Carried, Fetched, ServingJob, Want, tell_parent};
use super::{Inner, Node};
use crate::backend::memory::store::Memory;
use crate::backend::subprocess::protocol::{ChannelId, Direction, Few, NodeId, Offer, Token};
use crate::system::quiet;
use crate::wait::park;

/// The number of times that the root looks, each millisecond, for memory that may be on its way to it from a node that has ended.
const LOOKS: u32 = 50;

/// The same for a node that has ended well. It has sent the memory, and a busy machine may take its time.
const PATIENT_LOOKS: u32 = 10_000;

impl Node {
    /// Keeps memory that sets out in a value, and returns the end that goes with it. `via` will
    /// have charge of that value.
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

    /// Handles the end of an operation that no process waits for. Returns whether it stood for kept
    /// memory, which then goes.
    pub(super) fn may_let_go(&'static self, inner: &mut Inner, op: u64) -> bool {
        let Some(index) = inner.memories.watched.remove(&op) else { return false };
        if let Some(memory) = inner.memories.kept.remove(&index) {
            self.serve(ServingJob::Drop(memory));
        }
        let channel = ChannelId { home: self.id, index };
        inner.machine.drop_end(channel, Direction::Write, &mut inner.out);
        true
    }

    /// Returns the memory that this end has come with. Waits for it.
    pub(crate) fn fetch(&'static self, token: Token) -> Result<Fetched, String> {
        let (keeper, channel) = (token.channel.home, token.channel.index);
        let lost = || "the OS process that wrote it has ended".to_owned();
        let mut inner = self.lock();
        // The memory may be here.
        if keeper == self.id {
            let kept = inner.memories.kept.remove(&channel);
            return kept.map(Fetched::Here).ok_or_else(lost);
        }
        #[cfg(feature = "address")]
        if inner.peers.is_by_address(keeper) {
            return Err(crate::backend::subprocess::values::crossed::NO_BUFFER.to_owned());
        }
        let memories = &mut inner.memories;
        if let Some(shared) = memories.left.remove(&(keeper.0, channel)) {
            return Ok(Fetched::Sent(shared));
        }
        // Without that thread the question would not be sent, nor the answer heard.
        self.begin_serving()
            .map_err(|error| format!("no thread could be had to fetch it ({error})"))?;
        // The question is recorded before it is sent.
        let (tell, told) = mpsc::channel();
        memories.next += 1;
        let asked = AskedBy { by: self.id.0, number: memories.next };
        let want = Want { keeper: keeper.0, channel, asked };
        memories.wants.insert(asked.number, (want, tell));
        drop(inner);
        self.serve(ServingJob::Route(Carried::Want(want)));
        // The wait.
        let wait = move || told.recv();
        let came = match park::current().is_polled() {
            true => wait(),
            false => crate::backend::offload::io(wait),
        };
        came.map(Fetched::Sent).map_err(|_| lost())
    }

    /// Handles a message of a control channel.
    pub(crate) fn carried(&'static self, carried: Carried) {
        match carried {
            Carried::Left(..) if self.parent.is_some() => tell_parent(carried),
            Carried::Left(keeper, channel, shared) => {
                self.lock().memories.left.insert((keeper, channel), shared);
            }
            carried => self.serve(ServingJob::Route(carried)),
        }
    }

    /// Leaves the memory that this node keeps to others, because this node ends.
    pub(super) fn leave_memories(&'static self) {
        let kept: Vec<(u64, Memory)> = {
            let memories = &mut self.lock().memories;
            memories.gone = true;
            memories.kept.drain().collect()
        };
        for (channel, memory) in kept {
            tell_parent(Carried::Left(self.id.0, channel, memory.to_send()));
        }
    }

    /// Asks the root for the memory that these dead nodes were asked for.
    pub(super) fn ask_again(&'static self, inner: &Inner, dead: &[u64]) {
        for (want, _) in inner.memories.wants.values() {
            if dead.contains(&want.keeper) {
                self.serve(ServingJob::Route(Carried::Want(*want)));
            }
        }
    }

    /// Makes sure that there is a thread that serves.
    pub(super) fn begin_serving(&'static self) -> io::Result<()> {
        self.serving.thread.need(move || {
            quiet::ignore_this_thread();
            let waiting =
                self.serving.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            for job in waiting.into_iter().flatten() {
                match job {
                    ServingJob::Route(carried) => self.route_memory(carried),
                    ServingJob::Drop(memory) => drop(memory),
                }
            }
        })
    }

    /// Gives the thread a job. If there is no thread, the job waits for one.
    fn serve(&'static self, job: ServingJob) {
        let _ = self.begin_serving();
        // The receiver never goes.
        let _ = self.serving.jobs.send(job);
    }

    fn route_memory(&'static self, carried: Carried) {
        match carried {
            // A question to this node.
            Carried::Want(want) if want.keeper == self.id.0 => {
                let (kept, gone) = {
                    let memories = &mut self.lock().memories;
                    (memories.kept.remove(&want.channel), memories.gone)
                };
                if kept.is_none() && gone {
                    // The node that asks hears of this node's end, and asks the root.
                    return;
                }
                self.route_memory(Carried::Have(want.asked, kept.map(|memory| memory.to_send())));
            }
            // A question to a keeper that has ended, or behind another peer.
            Carried::Want(want) if self.lock().estates.answer_for(NodeId(want.keeper)) => {
                self.route_memory(Carried::Ended(want));
            }
            Carried::Ended(want) if self.parent.is_some() => {
                tell_parent(Carried::Ended(want));
            }
            Carried::Ended(want) => {
                self.route_memory(Carried::Have(want.asked, self.left_by(want, PATIENT_LOOKS)));
            }
            Carried::Want(want) => {
                if !self.pass_on(NodeId(want.keeper), Carried::Want(want)) {
                    self.route_memory(Carried::Have(want.asked, self.left_by(want, LOOKS)));
                }
            }
            // An answer.
            Carried::Have(AskedBy { by, number }, memory) if by == self.id.0 => {
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

    /// Returns the memory that the dead keeper has left, at the root.
    fn left_by(&'static self, want: Want, looks: u32) -> Option<IpcSharedMemory> {
        // It was sent before its keeper's death was told, but by another way.
        for _ in 0..looks {
            let left = self.lock().memories.left.remove(&(want.keeper, want.channel));
            if left.is_some() {
                return left;
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// Passes a message on. Returns whether there is a way there.
    fn pass_on(&'static self, to: NodeId, carried: Carried) -> bool {
        let (way, tell) = {
            let mut inner = self.lock();
            let Some(way) = inner.peers.way(to) else { return false };
            (way, inner.peers.get_mut(way).and_then(|peer| peer.tell.clone()))
        };
        if Some(way) == self.parent {
            tell_parent(carried);
        } else if let Some(tell) = tell {
            // If it is dead, its death will be told.
            tell(carried);
        }
        true
    }
}

/// The messages of a control channel, one after the other.
#[derive(Default)]
pub(crate) struct Heard(Option<AskedBy>);

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

    /// Handles a message that did not arrive whole.
    pub(crate) fn garbled(&mut self) {
        if let Some(asked) = self.0.take() {
            Node::here().carried(Carried::Have(asked, None));
        }
    }
}
