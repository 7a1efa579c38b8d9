//! Leading: a thread that waits polls the links for all processes of this OS process.
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::Node;
use super::peers::Peer;
use crate::backend::subprocess::transport::inbox::PeerMailbox;
use crate::backend::subprocess::transport::mailbox::{Mailbox, NextLook, PollingPatience};
use crate::backend::subprocess::transport::ring::Peek;
use crate::system::quiet;
use crate::wait::seen::links::{self, Links};

/// The time that a peer that may look by itself is given before it is rung for.
const LAZY: Duration = Duration::from_nanos(1500);
/// The number of times that this side polls for its answer before it checks whether the peer
/// sleeps.
const SOON: u32 = 8;

/// From now on threads that wait poll the links.
pub(super) fn begin() {
    links::know(&Here);
}

/// The right to poll the links: one thread has it at a time.
#[derive(Default)]
pub(super) struct Leadership {
    taken: AtomicBool,
    watched: UnsafeCell<Watched>,
}

// SAFETY: only the thread that has taken the leadership touches `watched`.
unsafe impl Sync for Leadership {}

/// The part of the links that a leader polls without a lock.
#[derive(Default)]
struct Watched {
    /// The set of peers for which this was made.
    round: Option<u32>,
    links: Vec<WatchedLink>,
    /// One of them was on this core at the last look.
    together: bool,
}

struct WatchedLink {
    peek: Peek,
    mailbox: PeerMailbox,
}

/// The part that this thread plays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    /// It will lead as soon as it waits.
    Chosen,
    Leads,
}

std::thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::None) };
}

/// The leadership, until it is dropped.
struct Leads(&'static Node);

impl Leads {
    fn begin(node: &'static Node) -> Self {
        ROLE.set(Role::Leads);
        Self(node)
    }

    fn watched(&mut self) -> &mut Watched {
        // SAFETY: only one `Leads` exists at a time, and it is borrowed mutably.
        unsafe { &mut *self.0.leadership.watched.get() }
    }
}

impl Drop for Leads {
    fn drop(&mut self) {
        ROLE.set(Role::None);
        self.0.leadership.taken.store(false, Ordering::Release);
    }
}

/// This OS process, to threads that are about to wait.
struct Here;

impl Links for Here {
    fn lead(
        &self,
        until: &dyn Fn() -> bool,
        deadline: Option<Instant>,
        sleeps: &mut dyn FnMut(),
    ) -> bool {
        let node = Node::here();
        if ROLE.get() != Role::Chosen && !node.take_lead() {
            node.ring_all();
            return false;
        }
        let mut leads = Leads::begin(node);
        node.lead(leads.watched(), until, deadline, sleeps)
    }

    fn poke(&self) {
        // A leader that wakes a process looks whether that was itself.
        if ROLE.get() != Role::Leads {
            // If nobody sleeps, nobody has to be woken.
            let _ = Node::here().mailbox().notify();
        }
    }

    fn ring(&self) {
        Node::here().ring_all();
    }
}

/// Returns the core this thread runs on.
fn core() -> u32 {
    rustix::thread::sched_getcpu() as u32
}

impl Node {
    fn take_lead(&'static self) -> bool {
        let taken = &self.leadership.taken;
        let is_mine = self.peers.load(Ordering::Relaxed) > 0
            && self.is_here()
            && !taken.load(Ordering::Relaxed)
            && !taken.swap(true, Ordering::Acquire);
        if is_mine {
            self.mailbox().lead();
        }
        is_mine
    }

    /// Makes this thread the leader from now on, unless another leads. It is about to wait for
    /// something that only comes from elsewhere, as long as that takes.
    /// `discharge` follows.
    pub(super) fn choose_this_thread(&'static self) -> bool {
        let chosen = self.take_lead();
        if chosen {
            ROLE.set(Role::Chosen);
        }
        chosen
    }

    /// Ends the leadership of a chosen thread that has waited, or did not have to.
    pub(super) fn discharge_this_thread(&'static self) {
        if ROLE.get() == Role::Chosen {
            let mut leads = Leads::begin(self);
            self.leave(leads.watched());
        }
    }

    fn lead(
        &'static self,
        watched: &mut Watched,
        until: &dyn Fn() -> bool,
        deadline: Option<Instant>,
        sleeps: &mut dyn FnMut(),
    ) -> bool {
        let mut patience = PollingPatience::new(watched.together);
        let (mut began, mut slept, mut over) = (None, false, false);
        loop {
            // Look: messages first, then the condition that this thread waits for. A thread that
            // has slept counts as asleep, and is woken.
            if self.may_have_news(watched) && self.pump(!slept) {
                over = true;
                break;
            }
            if until() || self.peers.load(Ordering::Relaxed) == 0 {
                break;
            }
            // Ring for peers that have not been told.
            if self.unrung.load(Ordering::Relaxed) && patience.is_over(SOON) {
                match began {
                    None => {
                        began = Some(Instant::now());
                        self.tell_all();
                    }
                    Some(began) if began.elapsed() >= LAZY => self.ring_all(),
                    Some(_) => {}
                }
            }
            // Wait: by looking again, then in the mailbox.
            match patience.wait() {
                NextLook::Look => continue,
                NextLook::Settle => {
                    patience.settle(self.settles(watched));
                    continue;
                }
                NextLook::Sleep => {}
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            self.ring_all();
            slept = true;
            sleeps();
            let alone = || self.peers.load(Ordering::SeqCst) == 0;
            self.mailbox().sleep(|| until() || alone() || self.has_news(watched), deadline);
            patience = PollingPatience::new(self.settles(watched));
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        self.leave(watched);
        over
    }

    fn leave(&'static self, watched: &mut Watched) {
        self.ring_all();
        // The router handles news that comes while nobody leads. The leader handles news that had
        // come before.
        for _ in 0..8 {
            if !self.mailbox().leave(|| self.has_news(watched)) {
                return;
            }
            self.mailbox().lead();
            self.pump(false);
        }
        if self.mailbox().leave(|| self.has_news(watched)) {
            self.mailbox().wake_router();
        }
    }

    /// Publishes the core of this thread. Returns whether one of the peers is on the same core.
    fn settles(&self, watched: &mut Watched) -> bool {
        let core = core();
        self.mailbox().publish_core(core);
        let mailboxes = watched.links.iter().filter_map(|watch| watch.mailbox.get());
        watched.together = mailboxes.map(Mailbox::core).any(|peer| peer == Some(core));
        watched.together
    }

    /// Returns whether to look into the links. No lock is taken, unless the set of peers has
    /// changed.
    #[inline]
    fn may_have_news(&self, watched: &mut Watched) -> bool {
        if watched.round != Some(self.round.load(Ordering::SeqCst)) {
            self.watch(watched);
        }
        self.backed_up.load(Ordering::Relaxed)
            || !self.streams.is_empty()
            || watched.links.iter().any(|watch| !watch.peek.is_empty())
    }

    /// Returns the same exactly.
    fn has_news(&self, watched: &mut Watched) -> bool {
        self.may_have_news(watched)
            && (watched.links.iter().any(|watch| !watch.peek.is_empty()) || self.links_have_news())
    }

    fn links_have_news(&self) -> bool {
        if !self.streams.is_empty() {
            return true;
        }
        let inner = self.lock();
        let mut ringed = inner.peers.all[..inner.peers.ringed()].iter();
        ringed.any(|peer| peer.cut.is_none() && peer.link.has_news())
    }

    #[cold]
    fn watch(&self, watched: &mut Watched) {
        let inner = self.lock();
        watched.round = Some(self.round.load(Ordering::SeqCst));
        let listened = inner.peers.all.iter().filter(|peer| peer.cut.is_none());
        let watch = |peer: &Peer| {
            Some(WatchedLink { peek: peer.link.peek()?, mailbox: peer.mailbox.clone() })
        };
        watched.links = listened.filter_map(watch).collect();
        drop(inner);
        self.settles(watched);
    }

    /// Drops a leader's copies of a gone peer's memory. A thread that leads has been shaken, and
    /// looks at the new set of peers. A thread that is just leaving the leadership has soon left.
    pub(super) fn forget_gone(&'static self) {
        for _ in 0..100 {
            if !self.leadership.taken.swap(true, Ordering::Acquire) {
                *Leads::begin(self).watched() = Watched::default();
                return;
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Starts the router, which serves from here on.
    pub(super) fn begin_routing(&'static self) -> io::Result<()> {
        self.router.need(move || self.route())
    }

    fn route(&'static self) {
        quiet::ignore_this_thread();
        #[cfg(test)]
        super::HERE.set(Some(self));
        loop {
            if !self.mailbox().is_led() {
                self.pump(false);
            }
            self.mailbox().route(|| self.links_have_news());
        }
    }
}
