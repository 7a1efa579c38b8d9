//! All places where a scheduler sleeps, one after the other: the nap of a worker that searches, the links to other OS processes, and its
//! inbox. A queue of events would be one more place like the links. Each thing that comes wakes it, wherever it is.
//!
//! The worker waits as `backend/coroutines` does: `cores/thief.rs` and `sleeping.rs`. If it overlooked something, it would sleep for ever,
//! which `loom` reports.

use super::*;
use crate::sync::AtomicUsize;
use crate::sync::inbox::{Inbox, Keeper, Link, Linked};
use crate::sync::search::{Roster, Station, WorkSearch};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 9] = [
    ("not rung", "work_and_a_node_come"),
    ("no barrier behind the work", "work_and_a_node_come"),
    ("no barrier behind idle", "work_and_a_node_come"),
    ("no look behind idle", "work_and_a_node_come"),
    ("a disturbed search goes on", "work_and_a_node_come_to_one_that_naps"),
    ("a question hides a call to work", "work_and_a_question_come"),
    ("not poked", "work_and_a_node_come_to_the_links"),
    ("polls after the look", "work_and_a_node_come_to_the_links"),
    ("a message rings nobody", "work_and_a_message_come_to_the_links"),
];

#[repr(align(16))]
struct Node(Link<Self>);

impl Linked for Node {
    fn link(&self) -> &Link<Self> {
        &self.0
    }
}

/// As much comes to the worker.
const ALL: usize = 2;

/// A worker, with all that may wake it.
struct Worker {
    inbox: Inbox<Node>,
    search: WorkSearch,
    station: Station,
    /// Work that other threads have made.
    work: AtomicUsize,
    /// Questions of other threads.
    asked: AtomicUsize,
    /// It has links to other OS processes, and polls them.
    is_linked: bool,
    /// The messages that came by them, and whether the one that polls looks up.
    links: loom::sync::Mutex<(usize, bool)>,
    looks_up: loom::sync::Condvar,
}

impl Keeper for Worker {
    fn wakes(&self) {}

    fn falls_asleep(&self) {}

    fn poke(&self) {
        self.links.lock().unwrap().1 = true;
        self.looks_up.notify_one();
    }

    fn call_away(&self) {
        unreachable!("it has no event queue");
    }
}

impl Roster for Worker {
    fn has_work(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0
    }

    fn has_room(&self) -> bool {
        true
    }

    fn has_idle(&self) -> bool {
        self.station.is_idle()
    }

    fn call(&self) -> bool {
        let called = self.station.call();
        if called {
            self.inbox.call(true, self);
        }
        called
    }
}

/// The things that came to a worker, and how it goes on.
#[derive(Default)]
struct Came {
    nodes: usize,
    work: usize,
    messages: usize,
    questions: usize,
    searches: bool,
}

impl Came {
    fn count(&self) -> usize {
        self.nodes + self.work + self.messages + self.questions
    }
}

impl Worker {
    fn new(is_linked: bool) -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            search: WorkSearch::new(),
            station: Station::new(),
            work: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            is_linked,
            links: loom::sync::Mutex::new((0, false)),
            looks_up: loom::sync::Condvar::new(),
        })
    }

    fn is_disturbed(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn open_inbox(&self, came: &mut Came) {
        let taken = self.inbox.take();
        if taken.called {
            came.questions += self.asked.swap(0, Ordering::SeqCst);
        }
        came.nodes += taken.count();
    }

    /// Takes work, with the heavy barrier that this needs. The worker searches.
    fn takes_work(&self, came: &mut Came) -> bool {
        if !self.has_work() {
            return false;
        }
        self.search.end();
        fence(Ordering::SeqCst);
        let less = |now: usize| now.checked_sub(1);
        let order = Ordering::Relaxed;
        came.work += usize::from(self.work.fetch_update(order, order, less).is_ok());
        self.search.find_one(self);
        true
    }

    /// Waits once, because nothing is ready.
    fn waits(&self, came: &mut Came, naps: bool) {
        let mut searches = std::mem::take(&mut came.searches) || self.search.begin();
        // It searches, and naps in between.
        loop {
            if searches {
                if self.takes_work(came) {
                    return;
                }
                if naps {
                    self.inbox.sleep(Some(Instant::now()));
                }
                if self.is_disturbed() {
                    if !is_planted("a disturbed search goes on") {
                        self.search.end();
                        fence(Ordering::SeqCst);
                        self.search.find_one(self);
                    }
                    return self.open_inbox(came);
                }
            }
            if !self.search.rest(&self.station, searches, self) {
                break;
            }
            searches = true;
        }
        // It polls the links, or sleeps.
        if self.is_linked {
            self.polls(came)
        } else {
            self.sleeps(came)
        }
        came.searches = self.station.rise();
    }

    fn polls(&self, came: &mut Came) {
        let late = is_planted("polls after the look");
        if !late {
            self.inbox.polls();
        }
        let is_disturbed = self.is_disturbed();
        if late {
            self.inbox.polls();
        }
        let mut links = self.links.lock().unwrap();
        while !is_disturbed && links.0 == 0 && !links.1 {
            links = self.looks_up.wait(links).unwrap();
        }
        came.messages += std::mem::take(&mut *links).0;
        drop(links);
        self.inbox.stops_polling();
        self.open_inbox(came);
    }

    fn sleeps(&self, came: &mut Came) {
        let before = came.nodes;
        let hides = is_planted("a question hides a call to work");
        // A worker that was only asked something sleeps on. Here the end comes when all has come.
        while came.nodes == before && came.count() < ALL && (hides || !self.station.is_called()) {
            if self.inbox.falls_asleep(self) {
                self.inbox.sleep(None);
            }
            self.open_inbox(came);
        }
    }

    fn makes_work(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
        self.search.work_came(self);
    }

    fn puts_a_node(&self) {
        self.inbox.put(Box::leak(Box::new(Node(Link::new()))), self);
    }

    fn asks(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inbox.call(false, self);
    }

    fn sends_a_message(&self) {
        self.links.lock().unwrap().0 += 1;
        if !is_planted("a message rings nobody") {
            self.looks_up.notify_one();
        }
    }
}

/// Two threads do these, while the worker waits for both.
fn explore_sleep(is_linked: bool, naps: bool, bound: usize, other: fn(&Worker)) {
    let seen = check(bound, move |judge| {
        let worker = Worker::new(is_linked);
        let makes: [fn(&Worker); 2] = [Worker::makes_work, other];
        let threads = makes.map(|makes| {
            let worker = Arc::clone(&worker);
            thread::spawn(move || makes(&worker))
        });
        let mut came = Came::default();
        while came.count() < ALL {
            worker.waits(&mut came, naps);
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        judge((came.work, came.count()));
    });
    assert_eq!(seen, BTreeSet::from([(1, ALL)]));
}

#[test]
fn work_and_a_node_come() {
    explore_sleep(false, false, 3, Worker::puts_a_node);
}

#[test]
fn work_and_a_node_come_to_one_that_naps() {
    explore_sleep(false, true, 3, Worker::puts_a_node);
}

#[test]
fn work_and_a_question_come() {
    explore_sleep(false, false, 3, Worker::asks);
}

#[test]
fn work_and_a_node_come_to_the_links() {
    explore_sleep(true, true, 3, Worker::puts_a_node);
}

#[test]
fn work_and_a_message_come_to_the_links() {
    explore_sleep(true, true, 3, Worker::sends_a_message);
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
