//! How a process waits for its peers: a mailbox in shared memory that all of them see.
//!
//! One thread of a process at a time is its *leader*: it looks into the rings of all links, and sleeps here when there
//! is nothing. A *router* sleeps here as long as there is a leader, and serves the links when there is none.
//!
//! The wake-up is Dekker's: who publishes a record then looks for sleepers, who goes to sleep says so and then looks for
//! records, each with a fence between the two, on every side; so not both can miss the other. This is modelled below
//! (`cfg(loom)`), and each fence left out fails the model, but for the one in `wake_router`: that one is by argument.
//!
//! How long to look before sleeping depends on where the peer runs. On another core it may answer within a microsecond,
//! and `pause` is the quickest to see it; on the same core it cannot run before this thread lets it, and each `pause` is
//! taken from its time. Then some `sched_yield`, which costs others nothing, and then the futex.

use std::time::{Duration, Instant};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::futex::{self, Word};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// Nobody looks.
const ABSENT: u32 = 0;
/// Looks, and will see what is published now; unless it sleeps.
const PRESENT: u32 = 1;

/// Shared; all zero when new.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Mailbox {
    seldom: Seldom,
    often: Often,
}

/// What peers look at each time and is seldom changed: so it stays in their caches.
#[repr(C, align(128))]
#[derive(Default)]
struct Seldom {
    leader: Word,
    router: Word,
    /// The core that the leader was last on, and one; 0: not known.
    core: AtomicU32,
}

/// What is changed whenever somebody begins or ceases to look.
#[repr(C, align(128))]
#[derive(Default)]
struct Often {
    leader: AtomicU32,
}

/// What a peer found after it had published something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "unattended news must be rung for"]
pub(crate) enum Notified {
    /// It will be seen: by a leader that is awake, or that has been woken.
    Seen,
    /// Nobody looks: [`Mailbox::ring`] now, or after a moment if the news is one that the sender waits upon itself.
    Unattended,
}

/// The fence between saying and looking.
#[inline(always)]
fn dekker(_which: &'static str) {
    #[cfg(loom)]
    if loom_model::left_out(_which) {
        return;
    }
    fence(Ordering::SeqCst);
}

impl Mailbox {
    /// After a record has been published for this process.
    #[inline]
    pub(crate) fn notify(&self) -> Notified {
        dekker("notify");
        if self.seldom.leader.load(Ordering::Relaxed) == ASLEEP {
            Self::wake(&self.seldom.leader);
            return Notified::Seen;
        }
        // A wild value is of a process that will have to do without us.
        match self.often.leader.load(Ordering::Relaxed) {
            ABSENT => Notified::Unattended,
            _ => Notified::Seen,
        }
    }

    /// The same, where a leader is known to be present until it has seen what was published.
    #[inline]
    pub(crate) fn notify_present(&self) {
        dekker("notify");
        if self.seldom.leader.load(Ordering::Relaxed) == ASLEEP {
            Self::wake(&self.seldom.leader);
        }
    }

    /// Wakes the router, unless a leader has come meanwhile.
    pub(crate) fn ring(&self) {
        let is_asleep = |sleeper: &Word| sleeper.load(Ordering::Relaxed) == ASLEEP;
        if is_asleep(&self.seldom.leader) {
            Self::wake(&self.seldom.leader);
        } else if !self.is_led() && is_asleep(&self.seldom.router) {
            Self::wake(&self.seldom.router);
        }
    }

    fn wake(sleeper: &Word) {
        let was = sleeper.compare_exchange(ASLEEP, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        if was.is_ok() {
            sleeper.wake();
        }
    }

    /// A peer is dead. It may have died while it woke somebody here: after it had said so, before it did.
    pub(crate) fn shake(&self) {
        self.seldom.leader.wake();
        self.seldom.router.wake();
    }

    /// Where its leader was last.
    pub(crate) fn core(&self) -> Option<u32> {
        self.seldom.core.load(Ordering::Relaxed).checked_sub(1)
    }

    /// This process's own: where the caller is.
    pub(crate) fn publish_core(&self, core: u32) {
        let shown = core.wrapping_add(1);
        // The line is the peers' too.
        if self.seldom.core.load(Ordering::Relaxed) != shown {
            self.seldom.core.store(shown, Ordering::Relaxed);
        }
    }

    /// The caller is the leader from here on. One at a time: the process sees to that.
    pub(crate) fn lead(&self) {
        self.often.leader.store(PRESENT, Ordering::Relaxed);
    }

    /// The leader sleeps until something is published or the deadline has come; not at all if `news` says that
    /// something is there.
    pub(crate) fn sleep(&self, news: impl FnOnce() -> bool, deadline: Option<Instant>) {
        self.seldom.leader.store(ASLEEP, Ordering::Relaxed);
        dekker("sleep");
        if !news() {
            self.seldom.leader.wait(ASLEEP, deadline);
        }
        self.seldom.leader.store(AWAKE, Ordering::Relaxed);
    }

    /// The leader goes; says whether something has come that it must see to first, or have the router see to.
    pub(crate) fn leave(&self, news: impl FnOnce() -> bool) -> bool {
        self.often.leader.store(ABSENT, Ordering::Relaxed);
        dekker("leave");
        news()
    }

    /// The router sleeps until it is rung for; not at all if there is something and no leader to see it.
    pub(crate) fn route(&self, news: impl FnOnce() -> bool) {
        self.seldom.router.store(ASLEEP, Ordering::Relaxed);
        dekker("route");
        if self.is_led() || !news() {
            self.seldom.router.wait(ASLEEP, None);
        }
        self.seldom.router.store(AWAKE, Ordering::Relaxed);
    }

    /// Whether somebody looks, so that the router need not.
    pub(crate) fn is_led(&self) -> bool {
        self.often.leader.load(Ordering::Relaxed) != ABSENT
    }

    /// The router is to see to what a leader has left, or to the end of the process.
    pub(crate) fn wake_router(&self) {
        // The router says that it sleeps, then looks; so here, after what it is to look at has been seen.
        dekker("wake_router");
        Self::wake(&self.seldom.router);
    }
}

/// How a leader looks before it sleeps.
pub(crate) struct Patience {
    began: Option<Instant>,
    rounds: u32,
    /// Is what is waited for on this core, as far as is known?
    together: bool,
}

/// What a leader that has found nothing does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// It looks again.
    Look,
    /// So too, and it finds out anew where its peers are.
    Settle,
    Sleep,
}

/// So often it looks before it asks for the time, which takes as long as some looks: about half a microsecond.
const AT_ONCE: u32 = 24;
/// No more: with more processes than cores a longer one steals the core that the peer needs.
const PAUSE: Duration = Duration::from_micros(1);
/// A yield gives the core away if anybody wants it; sleeping costs some 40 µs on an idle one.
const YIELD: Duration = Duration::from_micros(50);

impl Patience {
    /// `together`: whether one who may answer was last on this core.
    pub(crate) fn new(together: bool) -> Self {
        Patience { began: None, rounds: 0, together }
    }

    pub(crate) fn settle(&mut self, together: bool) {
        self.together = together;
    }

    /// Whether it has looked so often, or is to yield.
    #[inline]
    pub(crate) fn is_over(&self, looks: u32) -> bool {
        self.together || self.rounds >= looks
    }

    /// Waits a little.
    #[inline]
    pub(crate) fn wait(&mut self) -> Wait {
        self.rounds += 1;
        if !self.together && self.rounds < AT_ONCE {
            std::hint::spin_loop();
            return Wait::Look;
        }
        if self.rounds == AT_ONCE {
            return Wait::Settle;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        let waited = began.elapsed();
        if !self.together && waited < PAUSE {
            std::hint::spin_loop();
            Wait::Look
        } else if waited < YIELD {
            futex::give_way();
            Wait::Look
        } else {
            Wait::Sleep
        }
    }
}

#[cfg(all(test, loom))]
mod loom_model {
    use std::process::Command;
    use std::sync::OnceLock;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// The fence that this run does without.
    pub(super) fn left_out(which: &str) -> bool {
        static LEFT_OUT: OnceLock<String> = OnceLock::new();
        LEFT_OUT.get_or_init(|| std::env::var("CSP_LEFT_OUT").unwrap_or_default()) == which
    }

    /// A mailbox and one ring of which only the number of records counts.
    #[derive(Default)]
    struct Process {
        mailbox: Mailbox,
        written: AtomicU32,
        read: AtomicU32,
        over: AtomicU32,
    }

    impl Process {
        fn publish(&self) {
            self.written.fetch_add(1, Ordering::Release);
        }

        fn news(&self) -> bool {
            self.written.load(Ordering::Acquire) != self.read.load(Ordering::Relaxed)
        }

        fn pump(&self) {
            let written = self.written.load(Ordering::Acquire);
            self.read.store(written, Ordering::Relaxed);
        }
    }

    /// A leader that waits for two records, from a peer each.
    #[test]
    fn a_leader_never_sleeps_over_news() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let process = Arc::new(Process::default());
            process.mailbox.lead();
            let peers = [true, false].map(|knows| {
                let process = Arc::clone(&process);
                thread::spawn(move || {
                    process.publish();
                    match knows {
                        true => process.mailbox.notify_present(),
                        false => assert_eq!(process.mailbox.notify(), Notified::Seen),
                    }
                })
            });
            loop {
                process.pump();
                if process.read.load(Ordering::Relaxed) == 2 {
                    break;
                }
                process.mailbox.sleep(|| process.news(), None);
            }
            for peer in peers {
                peer.join().expect("a peer");
            }
        });
    }

    /// A leader leaves while a record comes; the router sees to it if the leader does not.
    #[test]
    fn a_leader_that_leaves_leaves_nothing_behind() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(4);
        builder.check(|| {
            let process = Arc::new(Process::default());
            process.mailbox.lead();
            let router = {
                let process = Arc::clone(&process);
                thread::spawn(move || {
                    while process.over.load(Ordering::Acquire) == 0 {
                        if process.mailbox.is_led() {
                            process.mailbox.route(|| process.news());
                            continue;
                        }
                        process.pump();
                        if process.read.load(Ordering::Relaxed) == 1 {
                            break;
                        }
                        process.mailbox.route(|| process.news());
                    }
                })
            };
            let peer = {
                let process = Arc::clone(&process);
                thread::spawn(move || {
                    process.publish();
                    if process.mailbox.notify() == Notified::Unattended {
                        process.mailbox.ring();
                    }
                })
            };
            if process.mailbox.leave(|| process.news()) {
                process.over.store(1, Ordering::Release);
                process.mailbox.wake_router();
            }
            peer.join().expect("a peer");
            router.join().expect("the router");
        });
    }

    /// A model that fails is in no state to go on: another process runs it.
    fn fails(model: &str, without: &str) {
        let exe = std::env::current_exe().expect("this test");
        let name = format!("{}::{model}", module_path!().split_once("::").expect("a crate").1);
        let run = Command::new(exe)
            .args([&name, "--exact"])
            .env("CSP_LEFT_OUT", without)
            .output()
            .expect("this test again");
        let ran = String::from_utf8_lossy(&run.stdout).contains("running 1 test");
        assert!(ran && !run.status.success(), "{model} holds without the fence in `{without}`");
    }

    #[test]
    fn each_fence_is_needed() {
        for without in ["notify", "sleep"] {
            fails("a_leader_never_sleeps_over_news", without);
        }
        for without in ["notify", "leave", "route"] {
            fails("a_leader_that_leaves_leaves_nothing_behind", without);
        }
    }
}
