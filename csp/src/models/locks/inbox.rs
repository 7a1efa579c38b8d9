//! The inbox of a thread: what is put there comes once and in order, and a thread that sleeps is woken. The count of the threads
//! that are awake is never 0 while something is there.

use super::*;
use crate::sync::AtomicUsize;
use crate::sync::inbox::{Inbox, Keeper, Link, Linked};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 17] = [
    ("put without order", "two_come_in_order"),
    ("taken without order", "two_come_in_order"),
    ("only the newest is taken", "two_come_in_order"),
    ("linked when it is there", "two_come_in_order"),
    ("not rung", "two_come_in_order"),
    ("sleeps whatever comes", "two_come_in_order"),
    ("counted after the letter", "one_is_awake_while_something_is_there"),
    ("counted asleep first", "one_is_awake_while_something_is_there"),
    ("counted twice", "two_threads_wake_one"),
    ("a deadline empties it", "a_deadline_comes"),
    ("a node hides a call", "a_call_comes_beside_a_node"),
    ("not poked", "one_that_polls_is_poked"),
    ("polls after the look", "one_that_polls_is_poked"),
    ("not called away", "the_first_calls_away_one_that_sleeps_elsewhere"),
    ("called away by each", "the_first_calls_away_one_that_sleeps_elsewhere"),
    ("sleeps elsewhere whatever comes", "the_first_calls_away_one_that_sleeps_elsewhere"),
    ("taken without order", "the_next_thread_takes_what_came_late"),
];

#[repr(align(16))]
struct Node {
    name: u32,
    link: Link<Self>,
}

impl Linked for Node {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

impl Node {
    /// Makes a node that lives for ever.
    fn new(name: u32) -> &'static Self {
        Box::leak(Box::new(Self { name, link: Link::new() }))
    }
}

struct Owner {
    inbox: Inbox<Node>,
    /// The number of threads that are awake: the owner, and those that put something there.
    awake: AtomicUsize,
    taken: AtomicUsize,
    poked: loom::sync::Mutex<bool>,
    /// How often it was called away.
    calls: AtomicUsize,
    changed: loom::sync::Condvar,
}

impl Keeper for Owner {
    fn wakes(&self) {
        self.awake.fetch_add(1, Ordering::SeqCst);
    }

    fn falls_asleep(&self) {
        self.awake.fetch_sub(1, Ordering::SeqCst);
    }

    fn poke(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        *self.poked.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn call_away(&self) {
        self.poke();
    }
}

impl Owner {
    fn new(awake: usize) -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            awake: AtomicUsize::new(awake),
            taken: AtomicUsize::new(0),
            poked: loom::sync::Mutex::new(false),
            calls: AtomicUsize::new(0),
            changed: loom::sync::Condvar::new(),
        })
    }

    /// Starts a thread that puts these there, and then is awake no longer.
    fn puts(self: &Arc<Self>, names: &'static [u32]) -> thread::JoinHandle<()> {
        let this = Arc::clone(self);
        thread::spawn(move || {
            names.iter().for_each(|&name| this.inbox.put(Node::new(name), &*this));
            this.falls_asleep();
        })
    }

    /// Takes what is there. Returns whether it was called.
    fn take(&self, names: &mut Vec<u32>) -> bool {
        let taken = self.inbox.take();
        let called = taken.called;
        names.extend(taken.map(|node| node.name));
        self.taken.store(names.len(), Ordering::SeqCst);
        called
    }

    /// Waits as a scheduler does until there are so many.
    fn take_all(&self, names: &mut Vec<u32>, all: usize) {
        while names.len() < all {
            if self.inbox.falls_asleep(self) {
                self.inbox.sleep(None);
            }
            self.take(names);
            if !names.is_empty() {
                self.inbox.wakes(self);
            }
        }
    }
}

fn end(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn two_come_in_order() {
    let seen = check(5, |judge| {
        let owner = Owner::new(2);
        let other = owner.puts(&[1, 2]);
        let mut names = Vec::new();
        owner.take_all(&mut names, 2);
        end([other]);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], 1)]));
}

#[test]
fn each_thread_keeps_its_order() {
    let seen = check(2, |judge| {
        let owner = Owner::new(3);
        let others = [owner.puts(&[1, 2]), owner.puts(&[3])];
        let mut names = Vec::new();
        owner.take_all(&mut names, 3);
        end(others);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    let orders = [[1, 2, 3], [1, 3, 2], [3, 1, 2]];
    assert_eq!(seen, orders.into_iter().map(|names| (names.to_vec(), 1)).collect());
}

#[test]
fn two_threads_wake_one() {
    let seen = check(3, |judge| {
        let owner = Owner::new(3);
        let others = [owner.puts(&[1]), owner.puts(&[2])];
        let mut names = Vec::new();
        owner.take_all(&mut names, 2);
        end(others);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], 1), (vec![2, 1], 1)]));
}

/// A third thread looks. If nobody is awake, all has been taken.
#[test]
fn one_is_awake_while_something_is_there() {
    let seen = check(3, |judge| {
        let owner = Owner::new(2);
        let other = owner.puts(&[1, 2]);
        let watch = Arc::clone(&owner);
        let watch = thread::spawn(move || {
            if watch.awake.load(Ordering::SeqCst) == 0 {
                assert_eq!(watch.taken.load(Ordering::SeqCst), 2, "nobody was awake");
            }
        });
        let mut names = Vec::new();
        owner.take_all(&mut names, 2);
        owner.falls_asleep();
        end([other, watch]);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], 0)]));
}

/// The owner sleeps until a deadline, which comes at once, and goes on to another sleep.
#[test]
fn a_deadline_comes() {
    let seen = check(4, |judge| {
        let owner = Owner::new(2);
        let other = owner.puts(&[1, 2]);
        let mut names = Vec::new();
        owner.inbox.sleep(Some(Instant::now()));
        owner.take(&mut names);
        owner.inbox.sleep(Some(Instant::now()));
        owner.take_all(&mut names, 2);
        end([other]);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], 1)]));
}

/// A call is a question, which does not count as a wake-up. The owner answers it and sleeps on.
#[test]
fn a_call_comes_beside_a_node() {
    let seen = check(3, |judge| {
        let owner = Owner::new(3);
        let asks = Arc::clone(&owner);
        let asks = thread::spawn(move || {
            asks.inbox.call(false, &*asks);
            asks.falls_asleep();
        });
        let other = owner.puts(&[1]);
        let (mut names, mut called) = (Vec::new(), false);
        while names.is_empty() || !called {
            if owner.inbox.falls_asleep(&*owner) {
                owner.inbox.sleep(None);
            }
            called |= owner.take(&mut names);
        }
        owner.inbox.wakes(&*owner);
        end([asks, other]);
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1], 1)]));
}

/// The owner is called with something to do, which the others have left elsewhere.
#[test]
fn a_call_wakes() {
    let seen = check(3, |judge| {
        let owner = Owner::new(3);
        let place = || {
            let owner = Arc::clone(&owner);
            thread::spawn(move || {
                owner.taken.fetch_add(1, Ordering::Relaxed);
                owner.inbox.call(true, &*owner);
                owner.falls_asleep();
            })
        };
        let others = [place(), place()];
        let mut left = 2;
        while left > 0 {
            if owner.inbox.falls_asleep(&*owner) {
                owner.inbox.sleep(None);
            }
            if owner.inbox.take().called {
                left -= owner.taken.swap(0, Ordering::Relaxed);
            }
        }
        owner.inbox.wakes(&*owner);
        end(others);
        judge(owner.awake.load(Ordering::SeqCst));
    });
    assert_eq!(seen, BTreeSet::from([1]));
}

/// The owner waits elsewhere, as in the links to other OS processes or in a queue of events.
#[test]
fn one_that_polls_is_poked() {
    let seen = check(5, |judge| {
        let owner = Owner::new(2);
        let other = owner.puts(&[1, 2]);
        let mut names = Vec::new();
        while names.len() < 2 {
            let late = is_planted("polls after the look");
            if !late {
                owner.inbox.polls();
            }
            if owner.inbox.is_empty() {
                if late {
                    owner.inbox.polls();
                }
                let mut poked = owner.poked.lock().unwrap();
                while !std::mem::take(&mut *poked) {
                    poked = owner.changed.wait(poked).unwrap();
                }
            }
            owner.inbox.stops_polling();
            owner.take(&mut names);
        }
        end([other]);
        judge(names);
    });
    assert_eq!(seen, BTreeSet::from([vec![1, 2]]));
}

/// The owner sleeps in an event queue, from which the first that comes calls it away, once a sleep.
#[test]
fn the_first_calls_away_one_that_sleeps_elsewhere() {
    let seen = check(3, |judge| {
        let owner = Owner::new(3);
        let others = [owner.puts(&[1]), owner.puts(&[2])];
        let (mut names, mut sleeps) = (Vec::new(), 0);
        while names.len() < 2 {
            if owner.inbox.falls_asleep(&*owner) {
                owner.inbox.sleep_by(|| {
                    sleeps += 1;
                    let mut poked = owner.poked.lock().unwrap();
                    while !std::mem::take(&mut *poked) {
                        poked = owner.changed.wait(poked).unwrap();
                    }
                });
            }
            owner.take(&mut names);
            if !names.is_empty() {
                owner.inbox.wakes(&*owner);
            }
        }
        end(others);
        names.sort_unstable();
        let calls = owner.calls.load(Ordering::SeqCst);
        judge((names, calls <= sleeps, owner.awake.load(Ordering::SeqCst)));
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], true, 1)]));
}

/// A thread ends and leaves its inbox to another. A node that comes late comes to the other.
#[test]
fn the_next_thread_takes_what_came_late() {
    let seen = check(4, |judge| {
        let owner = Owner::new(2);
        let other = owner.puts(&[1, 2]);
        let next = Arc::clone(&owner);
        let first = thread::spawn(move || {
            let mut names = Vec::new();
            next.inbox.sleep(Some(Instant::now()));
            next.take(&mut names);
            next.taken.store(0, Ordering::Relaxed);
            names.len()
        });
        let came = first.join().unwrap();
        let mut names = Vec::new();
        owner.take_all(&mut names, 2 - came);
        end([other]);
        judge((came, names, owner.awake.load(Ordering::SeqCst)));
    });
    let outcomes = [(0, vec![1, 2], 1), (1, vec![2], 1), (2, vec![], 1)];
    assert_eq!(seen, BTreeSet::from(outcomes));
}

/// A copy made by `fork` has only the thread that made it, here the owner. Another thread was lost in the middle of a step: what it was
/// about to put there is there or is not, and nothing else is lost.
fn explore_fork(lost: &'static str, there: usize) {
    let seen = check(4, move |judge| {
        let owner = Owner::new(1);
        let (before, goes) = (owner.puts(&[1]), Arc::clone(&owner));
        let goes = thread::spawn(move || {
            loses_this_thread(lost);
            goes.inbox.put(Node::new(2), &*goes);
        });
        let mut names = Vec::new();
        owner.take(&mut names);
        end([before, goes]);
        // Here the copy begins. Its count begins anew.
        owner.awake.store(2, Ordering::SeqCst);
        let after = owner.puts(&[3]);
        owner.take_all(&mut names, there + 2);
        end([after]);
        names.sort_unstable();
        judge((names, owner.awake.load(Ordering::SeqCst)));
    });
    let names = if there == 0 { vec![1, 3] } else { vec![1, 2, 3] };
    assert_eq!(seen, BTreeSet::from([(names, 1)]));
}

#[test]
fn a_copy_lacks_a_thread_that_has_put_nothing_yet() {
    explore_fork("before it is there", 0);
}

#[test]
fn a_copy_lacks_a_thread_that_has_rung_nobody_yet() {
    explore_fork("when it is there", 1);
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
