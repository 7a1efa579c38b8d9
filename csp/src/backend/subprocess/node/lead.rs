//! Leading: looking into the links for all processes of this OS process, while waiting for something oneself.
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Node;
use super::peers::Peer;
use crate::backend::subprocess::mailbox::{Patience, Wait};
use crate::backend::subprocess::region::Region;
use crate::backend::subprocess::ring::Peek;
use crate::quiet;

/// Whether any node of this OS process has ever had a peer.
static LINKED: AtomicBool = AtomicBool::new(false);

/// How long a peer that may look by itself is left to do so before it is rung for.
const LAZY: Duration = Duration::from_nanos(1500);
/// And how often this side looks for its answer before it sees whether the peer sleeps.
const SOON: u32 = 8;

pub(super) fn linked() {
    LINKED.store(true, Ordering::Relaxed);
}

/// Whether there are other OS processes to hear of.
#[inline(always)]
pub(crate) fn is_linked() -> bool {
    LINKED.load(Ordering::Relaxed)
}

/// Who looks into the links: one at a time.
#[derive(Default)]
pub(super) struct Leadership {
    taken: AtomicBool,
    watched: UnsafeCell<Watched>,
}

// SAFETY: only who has taken it touches what is watched.
unsafe impl Sync for Leadership {}

/// What a leader looks at, for which it needs no lock.
#[derive(Default)]
struct Watched {
    /// Which peers these are.
    round: Option<u32>,
    links: Vec<Watch>,
    /// One of them was on this core, when last looked at.
    together: bool,
}

struct Watch {
    peek: Peek,
    mailbox: Region,
}

/// What this thread is.
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
        // SAFETY: there is one such at a time, and it is borrowed.
        unsafe { &mut *self.0.leadership.watched.get() }
    }
}

impl Drop for Leads {
    fn drop(&mut self) {
        ROLE.set(Role::None);
        self.0.leadership.taken.store(false, Ordering::Release);
    }
}

/// Leads until `until`, or the deadline, or not at all if there is nothing to lead, or somebody does. Who makes `until`
/// true afterwards [`poke`]s. `sleeps` is told each time that there is nothing to see, before it sleeps. True: what this thread was
/// [chosen](Node::choose) for is over, and nobody wakes it; it has not slept.
pub(crate) fn lead(
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

/// A leader may have to look up: something has changed here.
pub(crate) fn poke() {
    // A leader that wakes somebody looks whether that was itself.
    if ROLE.get() != Role::Leads {
        // If nobody sleeps, nobody has to be woken.
        let _ = Node::here().mailbox().notify();
    }
}

/// Who was about to wait need not, and rings for what it has put off.
pub(crate) fn ring() {
    Node::here().ring_all();
}

/// The core this thread runs on.
fn core() -> u32 {
    rustix::thread::sched_getcpu() as u32
}

impl Node {
    fn take_lead(&'static self) -> bool {
        let taken = &self.leadership.taken;
        let is_mine = self.peers.load(Ordering::Relaxed) > 0
            && !taken.load(Ordering::Relaxed)
            && !taken.swap(true, Ordering::Acquire);
        if is_mine {
            self.mailbox().lead();
        }
        is_mine
    }

    /// From now on this thread leads, if nobody else does: it is about to wait, for something that only comes from elsewhere,
    /// and for as long as that takes. [Discharged](Self::discharge) afterwards.
    pub(crate) fn choose(&'static self) -> bool {
        let chosen = self.take_lead();
        if chosen {
            ROLE.set(Role::Chosen);
        }
        chosen
    }

    /// Who was chosen has waited, or did not have to.
    pub(crate) fn discharge(&'static self) {
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
        let mut patience = Patience::new(watched.together);
        let (mut began, mut slept, mut over) = (None, false, false);
        loop {
            // One that has slept counts as asleep, and is woken.
            if self.may_have_news(watched) && self.pump(!slept) {
                over = true;
                break;
            }
            if until() || self.peers.load(Ordering::Relaxed) == 0 {
                break;
            }
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
            match patience.wait() {
                Wait::Look => continue,
                Wait::Settle => {
                    patience.settle(self.settles(watched));
                    continue;
                }
                Wait::Sleep => {}
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            self.ring_all();
            slept = true;
            sleeps();
            let alone = || self.peers.load(Ordering::SeqCst) == 0;
            self.mailbox().sleep(|| until() || alone() || self.has_news(watched), deadline);
            patience = Patience::new(self.settles(watched));
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        self.leave(watched);
        over
    }

    fn leave(&'static self, watched: &mut Watched) {
        self.ring_all();
        // What comes while nobody leads is for the router; what had come before is for the leader.
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

    /// Says which core this is; whether one of the peers is on the same.
    fn settles(&self, watched: &mut Watched) -> bool {
        let core = core();
        self.mailbox().publish_core(core);
        let cores = watched.links.iter().map(|watch| Peer::mailbox_in(&watch.mailbox).core());
        watched.together = cores.into_iter().any(|peer| peer == Some(core));
        watched.together
    }

    /// Whether to look into the links. No lock is taken, unless the peers are others than before.
    #[inline]
    fn may_have_news(&self, watched: &mut Watched) -> bool {
        if watched.round != Some(self.round.load(Ordering::SeqCst)) {
            self.watch(watched);
        }
        self.backed_up.load(Ordering::Relaxed)
            || watched.links.iter().any(|watch| !watch.peek.is_empty())
    }

    /// Exactly.
    fn has_news(&self, watched: &mut Watched) -> bool {
        self.may_have_news(watched)
            && (watched.links.iter().any(|watch| !watch.peek.is_empty()) || self.links_have_news())
    }

    fn links_have_news(&self) -> bool {
        let inner = self.lock();
        inner.peers.all.iter().any(|peer: &Peer| !peer.cut && peer.link.has_news())
    }

    #[cold]
    fn watch(&self, watched: &mut Watched) {
        let inner = self.lock();
        watched.round = Some(self.round.load(Ordering::SeqCst));
        let listened = inner.peers.all.iter().filter(|peer| !peer.cut);
        watched.links = listened
            .map(|peer| Watch { peek: peer.link.peek(), mailbox: peer.mailbox.clone() })
            .collect();
        drop(inner);
        self.settles(watched);
    }

    /// A peer is gone: nothing of its memory is kept for a leader. Who leads has been shaken, and looks anew who there is; who is
    /// just leaving has soon left.
    pub(super) fn forget_gone(&'static self) {
        for _ in 0..100 {
            if !self.leadership.taken.swap(true, Ordering::Acquire) {
                *Leads::begin(self).watched() = Watched::default();
                return;
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// The router serves from here on.
    pub(super) fn begin_routing(&'static self) {
        self.routing.call_once(|| {
            let router = thread::Builder::new().name("csp router".to_owned());
            let router = router.stack_size(256 * 1024).spawn(move || self.route());
            router.expect("a thread for the links to other OS processes");
        });
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
