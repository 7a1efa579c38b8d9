//! Leading: looking into the links for all processes of this OS process, while waiting for something oneself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Node;
use super::peers::Peer;
use crate::backend::subprocess::mailbox::Patience;
use crate::quiet;

/// Whether any node of this OS process has ever had a peer.
static LINKED: AtomicBool = AtomicBool::new(false);

/// How long a peer that may look by itself is left to do so before it is rung for.
const LAZY: Duration = Duration::from_nanos(1500);

pub(super) fn linked() {
    LINKED.store(true, Ordering::Relaxed);
}

/// Whether there are other OS processes to hear of.
#[inline(always)]
pub(crate) fn is_linked() -> bool {
    LINKED.load(Ordering::Relaxed)
}

/// Leads until `until`, or the deadline, or not at all if there is nothing to lead, or somebody does. Who makes `until`
/// true afterwards [`poke`]s.
pub(crate) fn lead(until: &dyn Fn() -> bool, deadline: Option<Instant>) {
    let node = Node::here();
    if node.peers.load(Ordering::Relaxed) == 0 {
        return;
    }
    if node.led.swap(true, Ordering::Acquire) {
        node.ring_all();
        return;
    }
    node.lead(until, deadline);
    node.led.store(false, Ordering::Release);
}

/// A leader may have to look up: something has changed here.
pub(crate) fn poke() {
    Node::here().poke();
}

/// The core this thread runs on.
fn core() -> u32 {
    rustix::thread::sched_getcpu() as u32
}

impl Node {
    fn lead(&'static self, until: &dyn Fn() -> bool, deadline: Option<Instant>) {
        self.mailbox().publish_core(core());
        self.mailbox().lead();
        let mut patience = None;
        let mut began = None;
        loop {
            self.pump();
            if until() || self.peers.load(Ordering::Relaxed) == 0 {
                break;
            }
            if self.unrung.load(Ordering::Relaxed)
                && began.get_or_insert_with(Instant::now).elapsed() >= LAZY
            {
                self.ring_all();
            }
            if patience.get_or_insert_with(|| self.patience()).wait() {
                continue;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            self.ring_all();
            let alone = || self.peers.load(Ordering::SeqCst) == 0;
            self.mailbox().sleep(|| until() || alone() || self.has_news(), deadline);
            self.mailbox().publish_core(core());
            patience = None;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        self.ring_all();
        // What comes while nobody leads is for the router; what had come before is for the leader.
        for _ in 0..8 {
            if !self.mailbox().leave(|| self.has_news()) {
                return;
            }
            self.mailbox().lead();
            self.pump();
        }
        if self.mailbox().leave(|| self.has_news()) {
            self.mailbox().wake_router();
        }
    }

    fn patience(&self) -> Patience {
        let inner = self.lock();
        Patience::new(core(), inner.peers.all.iter().map(|peer| peer.mailbox().core()))
    }

    fn poke(&self) {
        // If nobody sleeps, nobody has to be woken.
        let _ = self.mailbox().notify();
    }

    fn has_news(&self) -> bool {
        let inner = self.lock();
        inner.peers.all.iter().any(|peer: &Peer| !peer.cut && peer.link.has_news())
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
                self.pump();
            }
            self.mailbox().route(|| self.has_news());
        }
    }
}
