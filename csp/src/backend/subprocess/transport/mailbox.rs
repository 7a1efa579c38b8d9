//! The way in which a process waits for its peers: a mailbox in shared memory that all of them see.
//!
//! One thread of a process at a time is its *leader*: the thread that polls the links. It looks
//! into the rings of all links, and sleeps here when they are empty. A *router* sleeps here as long
//! as there is a leader, and serves the links when there is none.
//!
//! The wake-up is Dekker's. A thread that publishes a record looks for sleepers afterwards. A
//! thread that goes to sleep says so, and looks for records afterwards. Every side has a fence
//! between the two, so the two cannot miss each other. The models below (`cfg(loom)`) show this.
//! Each fence that is left out fails a model, except the one in `wake_router`, which stands by
//! argument.
//!
//! How long to look before sleeping depends on where the peer runs. On another core it may answer
//! within a microsecond, and `pause` is the quickest way to see that. On the same core it cannot
//! run before this thread lets it, and each `pause` is taken from its time. Then come some
//! `sched_yield`, which cost other threads nothing, and then the futex.

use std::time::{Duration, Instant};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::futex::{self, FutexWord};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// No leader looks.
const ABSENT: u32 = 0;
/// The leader looks, and will see a record that is published now, unless it sleeps.
const PRESENT: u32 = 1;

/// Shared memory, all zero when new.
#[repr(C)]
#[derive(Default)]
pub(in crate::backend::subprocess) struct Mailbox {
    seldom: Seldom,
    often: Often,
}

/// The word that peers look at each time. It seldom changes, so it stays in their caches.
#[repr(C, align(128))]
#[derive(Default)]
struct Seldom {
    leader: FutexWord,
    router: FutexWord,
    /// The core of the leader at its last look, plus one. 0: it is not known.
    core: AtomicU32,
}

/// The words that change whenever a thread begins or ceases to look.
#[repr(C, align(128))]
#[derive(Default)]
struct Often {
    leader: AtomicU32,
}

/// The state that a peer found after it had published something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "unattended news must be rung for"]
pub(in crate::backend::subprocess) enum Notified {
    /// The record will be seen, by a leader that is awake or has been woken.
    Seen,
    /// Nobody looks. [`Mailbox::ring`] is to be called now, or a moment later if the sender waits
    /// for the answer itself.
    Unattended,
}

/// The fence between publishing a state and looking at the other's.
#[inline(always)]
fn dekker(_which: &'static str) {
    #[cfg(loom)]
    if loom_model::left_out(_which) {
        return;
    }
    fence(Ordering::SeqCst);
}

impl Mailbox {
    /// Notifies this process after a record has been published for it.
    #[inline]
    pub(in crate::backend::subprocess) fn notify(&self) -> Notified {
        dekker("notify");
        if self.seldom.leader.load(Ordering::Relaxed) == ASLEEP {
            Self::wake(&self.seldom.leader);
            return Notified::Seen;
        }
        // A wild value belongs to a process that breaks the rules. It gets no help.
        match self.often.leader.load(Ordering::Relaxed) {
            ABSENT => Notified::Unattended,
            _ => Notified::Seen,
        }
    }

    /// Notifies a process whose leader is known to stay present until it has seen the record.
    #[inline]
    pub(in crate::backend::subprocess) fn notify_present(&self) {
        dekker("notify");
        if self.seldom.leader.load(Ordering::Relaxed) == ASLEEP {
            Self::wake(&self.seldom.leader);
        }
    }

    /// Notifies this process, and wakes its router if no leader looks.
    #[inline]
    pub(in crate::backend::subprocess) fn notify_or_ring(&self) {
        if self.notify() == Notified::Unattended {
            self.ring();
        }
    }

    /// Wakes the router, unless a leader has come meanwhile.
    pub(in crate::backend::subprocess) fn ring(&self) {
        let is_asleep = |sleeper: &FutexWord| sleeper.load(Ordering::Relaxed) == ASLEEP;
        if is_asleep(&self.seldom.leader) {
            Self::wake(&self.seldom.leader);
        } else if !self.is_led() && is_asleep(&self.seldom.router) {
            Self::wake(&self.seldom.router);
        }
    }

    fn wake(sleeper: &FutexWord) {
        let was = sleeper.compare_exchange(ASLEEP, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        if was.is_ok() {
            sleeper.wake();
        }
    }

    /// Wakes all sleepers here, because a peer is dead. It may have marked one of them as awake and
    /// died before it woke it.
    pub(in crate::backend::subprocess) fn shake(&self) {
        self.seldom.leader.wake();
        self.seldom.router.wake();
    }

    /// Returns the core on which its leader was last.
    pub(in crate::backend::subprocess) fn core(&self) -> Option<u32> {
        self.seldom.core.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Publishes this process's own core: the caller's.
    pub(in crate::backend::subprocess) fn publish_core(&self, core: u32) {
        let shown = core.wrapping_add(1);
        // The peers read the line too.
        if self.seldom.core.load(Ordering::Relaxed) != shown {
            self.seldom.core.store(shown, Ordering::Relaxed);
        }
    }

    /// Makes the caller the leader from here on. The process ensures that there is one at a time.
    pub(in crate::backend::subprocess) fn lead(&self) {
        self.often.leader.store(PRESENT, Ordering::Relaxed);
    }

    /// Lets the leader sleep until something is published or the deadline has come. It does not
    /// sleep if `news` returns true.
    pub(in crate::backend::subprocess) fn sleep(
        &self,
        news: impl FnOnce() -> bool,
        deadline: Option<Instant>,
    ) {
        self.seldom.leader.store(ASLEEP, Ordering::Relaxed);
        dekker("sleep");
        if !news() {
            self.seldom.leader.wait(ASLEEP, deadline);
        }
        self.seldom.leader.store(AWAKE, Ordering::Relaxed);
    }

    /// Ends the leadership. Returns whether something has come that the leader must handle first,
    /// or have the router handle.
    pub(in crate::backend::subprocess) fn leave(&self, news: impl FnOnce() -> bool) -> bool {
        self.often.leader.store(ABSENT, Ordering::Relaxed);
        dekker("leave");
        news()
    }

    /// Lets the router sleep until it is rung for. It does not sleep if there is news and no leader
    /// to see it.
    pub(in crate::backend::subprocess) fn route(&self, news: impl FnOnce() -> bool) {
        self.seldom.router.store(ASLEEP, Ordering::Relaxed);
        dekker("route");
        if self.is_led() || !news() {
            self.seldom.router.wait(ASLEEP, None);
        }
        self.seldom.router.store(AWAKE, Ordering::Relaxed);
    }

    /// Returns whether a leader looks, so that the router need not.
    pub(in crate::backend::subprocess) fn is_led(&self) -> bool {
        self.often.leader.load(Ordering::Relaxed) != ABSENT
    }

    /// Wakes the router to handle news that a leader has left, or the end of the process.
    pub(in crate::backend::subprocess) fn wake_router(&self) {
        // The router says that it sleeps, and looks afterwards. This side has seen the news before
        // it looks for the sleeper.
        dekker("wake_router");
        Self::wake(&self.seldom.router);
    }
}

/// The steps by which a leader looks before it sleeps.
pub(in crate::backend::subprocess) struct PollingPatience {
    began: Option<Instant>,
    rounds: u32,
    /// Whether the process that it waits for is on this core, as far as is known.
    together: bool,
}

/// The next step of a leader that has found nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::backend::subprocess) enum NextLook {
    /// It looks again.
    Look,
    /// It looks again, and finds out anew where its peers are.
    Settle,
    Sleep,
}

/// The number of looks before it asks for the time, which takes as long as some looks: about half a
/// microsecond.
const AT_ONCE: u32 = 24;
/// The limit of `pause`. With more processes than cores a longer one would steal the core that the
/// peer needs.
const PAUSE: Duration = Duration::from_micros(1);
/// The limit of yielding. A yield gives the core away if another thread wants it. Sleeping costs
/// some 40 µs on an idle core.
const YIELD: Duration = Duration::from_micros(50);

impl PollingPatience {
    /// `together`: whether a process that may answer was last on this core.
    pub(in crate::backend::subprocess) fn new(together: bool) -> Self {
        PollingPatience { began: None, rounds: 0, together }
    }

    pub(in crate::backend::subprocess) fn settle(&mut self, together: bool) {
        self.together = together;
    }

    /// Returns whether it has looked so often, or is to yield.
    #[inline]
    pub(in crate::backend::subprocess) fn is_over(&self, looks: u32) -> bool {
        self.together || self.rounds >= looks
    }

    /// Waits a little.
    #[inline]
    pub(in crate::backend::subprocess) fn wait(&mut self) -> NextLook {
        self.rounds += 1;
        if !self.together && self.rounds < AT_ONCE {
            std::hint::spin_loop();
            return NextLook::Look;
        }
        if self.rounds == AT_ONCE {
            return NextLook::Settle;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        let waited = began.elapsed();
        if !self.together && waited < PAUSE {
            std::hint::spin_loop();
            NextLook::Look
        } else if waited < YIELD {
            futex::give_way();
            NextLook::Look
        } else {
            NextLook::Sleep
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

    /// Returns whether this run leaves the fence out.
    pub(super) fn left_out(which: &str) -> bool {
        static LEFT_OUT: OnceLock<String> = OnceLock::new();
        LEFT_OUT.get_or_init(|| std::env::var("CSP_LEFT_OUT").unwrap_or_default()) == which
    }

    /// A mailbox and one ring, of which only the number of records counts.
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

    /// A leader waits for two records, from a peer each.
    #[test]
    fn a_leader_never_sleeps_over_news() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let process = Arc::new(Process::default());
            process.mailbox.lead();
            // One peer knows that the leader is present. The other finds out.
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
            // The leader sleeps until it has read both.
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

    /// A leader leaves while a record comes. The router handles it if the leader does not.
    #[test]
    fn a_leader_that_leaves_leaves_nothing_behind() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(4);
        builder.check(|| {
            let process = Arc::new(Process::default());
            process.mailbox.lead();
            // The router pumps while nobody leads, until the record has been read.
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
            // A peer publishes one record.
            let peer = {
                let process = Arc::clone(&process);
                thread::spawn(move || {
                    process.publish();
                    if process.mailbox.notify() == Notified::Unattended {
                        process.mailbox.ring();
                    }
                })
            };
            // The leader leaves, or lets the router handle the record.
            if process.mailbox.leave(|| process.news()) {
                process.over.store(1, Ordering::Release);
                process.mailbox.wake_router();
            }
            peer.join().expect("a peer");
            router.join().expect("the router");
        });
    }

    /// Checks that a model fails. A failed model cannot go on, so another process runs it.
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
