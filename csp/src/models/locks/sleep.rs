//! All places where a scheduler sleeps, one after the other: the nap of a worker that searches, its event queue, the links to other OS
//! processes, and its inbox. Each thing that comes wakes it, wherever it is. It sleeps in the queue while a process of it waits there.
//!
//! The worker waits as `backend/coroutines` does: `cores/thief.rs` and `sleeping.rs`. If it overlooked something, it would sleep for ever,
//! which `loom` reports.

use super::*;
use crate::sync::AtomicUsize;
use crate::sync::inbox::{Inbox, Keeper, Link, Linked};
use crate::sync::search::{Roster, Station, WorkSearch};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 14] = [
    ("not rung", "work_and_a_node_come"),
    ("no barrier behind the work", "work_and_a_node_come"),
    ("no barrier behind idle", "work_and_a_node_come"),
    ("no look behind idle", "work_and_a_node_come"),
    ("a disturbed search goes on", "work_and_a_node_come_to_one_that_naps"),
    ("a question hides a call to work", "work_and_a_question_come"),
    ("not poked", "work_and_a_node_come_to_the_links"),
    ("polls after the look", "work_and_a_node_come_to_the_links"),
    ("a message rings nobody", "work_and_a_message_come_to_the_links"),
    ("not called away", "work_and_a_node_come_to_the_queue"),
    ("sleeps elsewhere whatever comes", "work_and_a_node_come_to_the_queue"),
    ("an old call is thrown away", "work_and_a_node_come_to_the_queue"),
    ("sleeps in the inbox beside an event", "work_and_an_event_come"),
    ("an event is fetched and not told", "work_and_an_event_come"),
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
    ways: Ways,
    /// The messages that came by them, and whether the one that polls looks up.
    links: Place,
    /// Its event queue: the events, and whether it is called away.
    queue: Place,
}

/// A place where a thread sleeps until something has come, or it is to look up.
struct Place {
    state: loom::sync::Mutex<(usize, bool)>,
    changed: loom::sync::Condvar,
}

impl Place {
    fn new() -> Self {
        Self { state: loom::sync::Mutex::new((0, false)), changed: loom::sync::Condvar::new() }
    }

    fn looks_up(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_one();
    }

    fn comes(&self) {
        self.state.lock().unwrap().0 += 1;
        if !is_planted("a message rings nobody") {
            self.changed.notify_one();
        }
    }

    /// Sleeps there, unless the thread is disturbed. Returns what has come.
    fn sleeps(&self, is_disturbed: bool) -> usize {
        let mut state = self.state.lock().unwrap();
        while !is_disturbed && state.0 == 0 && !state.1 {
            state = self.changed.wait(state).unwrap();
        }
        std::mem::take(&mut *state).0
    }
}

/// How a worker waits.
#[derive(Clone, Copy)]
struct Ways {
    is_linked: bool,
    naps: bool,
    /// One of its processes waits for an event.
    is_awaited: bool,
}

const INBOX: Ways = Ways { is_linked: false, naps: false, is_awaited: false };
const NAPS: Ways = Ways { naps: true, ..INBOX };
const LINKS: Ways = Ways { is_linked: true, ..NAPS };
/// While a process waits for an event, the worker sleeps in its queue alone. Afterwards it naps, and polls the links.
const QUEUE: Ways = Ways { is_awaited: true, ..LINKS };

impl Keeper for Worker {
    fn wakes(&self) {}

    fn falls_asleep(&self) {}

    fn poke(&self) {
        self.links.looks_up();
    }

    fn call_away(&self) {
        self.queue.looks_up();
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
    events: usize,
    questions: usize,
    searches: bool,
}

impl Came {
    fn count(&self) -> usize {
        self.nodes + self.work + self.messages + self.events + self.questions
    }
}

impl Worker {
    fn new(ways: Ways) -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            search: WorkSearch::new(),
            station: Station::new(),
            work: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            ways,
            links: Place::new(),
            queue: Place::new(),
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
    fn waits(&self, came: &mut Came) {
        let mut searches = std::mem::take(&mut came.searches) || self.search.begin();
        let before = came.events;
        // It searches, and naps in between.
        loop {
            if searches {
                if self.takes_work(came) {
                    return;
                }
                if self.is_awaited(came) {
                    self.looks_at_events(came);
                } else if self.ways.naps {
                    self.inbox.sleep(Some(Instant::now()));
                }
                if self.is_disturbed() || came.events > before {
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
        if self.ways.is_linked && !self.is_awaited(came) {
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
        came.messages += self.links.sleeps(is_disturbed);
        self.inbox.stops_polling();
        self.open_inbox(came);
    }

    /// Returns whether a process waits for an event. It waits for one only.
    fn is_awaited(&self, came: &Came) -> bool {
        self.ways.is_awaited && came.events == 0
    }

    /// Fetches the events that are there, without a sleep.
    fn looks_at_events(&self, came: &mut Came) {
        came.events += self.queue.sleeps(true);
    }

    fn sleeps_in_queue(&self, came: &mut Came) {
        let mut events = 0;
        self.inbox.sleep_by(|| {
            if is_planted("an old call is thrown away") {
                self.queue.state.lock().unwrap().1 = false;
            }
            events = self.queue.sleeps(false);
        });
        if events > 0 && !is_planted("an event is fetched and not told") {
            self.inbox.wakes(self);
            came.events += events;
        }
    }

    fn sleeps(&self, came: &mut Came) {
        let before = came.nodes + came.events;
        let hides = is_planted("a question hides a call to work");
        // A worker that was only asked something sleeps on. Here the end comes when all has come.
        let asleep = |came: &Came| came.nodes + came.events == before && came.count() < ALL;
        while asleep(came) && (hides || !self.station.is_called()) {
            if self.inbox.falls_asleep(self) {
                match self.is_awaited(came) && !is_planted("sleeps in the inbox beside an event") {
                    true => self.sleeps_in_queue(came),
                    false => self.inbox.sleep(None),
                }
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
        self.links.comes();
    }

    fn makes_an_event(&self) {
        self.queue.comes();
    }
}

/// Two threads do these, while the worker waits for both.
fn explore_sleep(ways: Ways, other: fn(&Worker)) {
    let seen = check(3, move |judge| {
        let worker = Worker::new(ways);
        let makes: [fn(&Worker); 2] = [Worker::makes_work, other];
        let threads = makes.map(|makes| {
            let worker = Arc::clone(&worker);
            thread::spawn(move || makes(&worker))
        });
        let mut came = Came::default();
        while came.count() < ALL {
            worker.waits(&mut came);
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        judge((came.work, came.count()));
    });
    assert_eq!(seen, BTreeSet::from([(1, ALL)]));
}

#[test]
fn work_and_a_node_come() {
    explore_sleep(INBOX, Worker::puts_a_node);
}

#[test]
fn work_and_a_node_come_to_one_that_naps() {
    explore_sleep(NAPS, Worker::puts_a_node);
}

#[test]
fn work_and_a_question_come() {
    explore_sleep(INBOX, Worker::asks);
}

#[test]
fn work_and_a_node_come_to_the_links() {
    explore_sleep(LINKS, Worker::puts_a_node);
}

#[test]
fn work_and_a_message_come_to_the_links() {
    explore_sleep(LINKS, Worker::sends_a_message);
}

#[test]
fn work_and_a_node_come_to_the_queue() {
    explore_sleep(QUEUE, Worker::puts_a_node);
}

#[test]
fn work_and_an_event_come() {
    explore_sleep(QUEUE, Worker::makes_an_event);
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
