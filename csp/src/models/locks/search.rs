//! The search for work: no work is overlooked while a worker is idle.
//!
//! A thread makes work and does none of it. Roster search as those of the schedulers do. If work were overlooked, all would
//! sleep, which `loom` reports.

use super::*;
use crate::sync::AtomicUsize;
use crate::sync::search::{Roster, Station, WorkSearch};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 7] = [
    ("no barrier behind the work", "a_worker_finds_what_comes"),
    ("no barrier behind idle", "a_worker_finds_what_comes"),
    ("no look behind idle", "a_worker_finds_what_comes"),
    ("idle after the look", "a_worker_finds_what_comes"),
    ("one finds and calls no other", "two_workers_find_two_at_once"),
    ("no look when none was found", "a_worker_finds_one"),
    ("no look when the search is over", "two_workers_find_two_without_a_barrier"),
];

/// Lets one wait go on for each time it was rung, or for several.
struct Bell {
    rung: loom::sync::Mutex<bool>,
    changed: loom::sync::Condvar,
}

impl Bell {
    fn new() -> Self {
        Self { rung: loom::sync::Mutex::new(false), changed: loom::sync::Condvar::new() }
    }

    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !std::mem::take(&mut *rung) {
            rung = self.changed.wait(rung).unwrap();
        }
    }
}

struct Crew {
    search: WorkSearch,
    seats: Vec<(Station, Bell)>,
    work: AtomicUsize,
    done: AtomicUsize,
    all: usize,
    /// The workers that have something to do, and how many these may be.
    busy: AtomicUsize,
    cores: usize,
    /// A worker takes work without a heavy barrier.
    is_plain: bool,
    over: Bell,
    /// The first piece of work waits for the second to be taken, if there is a core for each.
    taken: AtomicUsize,
    both: Bell,
    ends: AtomicUsize,
}

impl Roster for Crew {
    fn has_work(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0 && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.busy.load(Ordering::SeqCst) < self.cores
    }

    fn has_idle(&self) -> bool {
        self.seats.iter().any(|(seat, _)| seat.is_idle())
    }

    fn call(&self) -> bool {
        let called = self.seats.iter().find(|(seat, _)| seat.call());
        called.inspect(|(_, bell)| bell.ring()).is_some()
    }
}

impl Crew {
    fn make(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
        self.search.work_came(self);
    }

    /// Takes one piece of work, if there is any and the worker may. Passes a heavy barrier then, if it has to.
    fn take(&self) -> bool {
        let more = |now: usize| (now < self.cores).then_some(now + 1);
        let (order, relaxed) = (Ordering::SeqCst, Ordering::Relaxed);
        if !self.has_work() || self.busy.fetch_update(order, order, more).is_err() {
            return false;
        }
        let less = |now: usize| now.checked_sub(1);
        let take = || self.work.fetch_update(relaxed, relaxed, less).is_ok();
        let has_taken = if self.is_plain {
            let has_taken = take();
            self.search.pass_on(self);
            has_taken
        } else {
            self.search.end();
            fence(Ordering::SeqCst);
            let has_taken = take();
            if !is_planted("one finds and calls no other") {
                self.search.find_one(self);
            }
            has_taken
        };
        if has_taken && self.cores == 2 {
            match self.taken.fetch_add(1, order) {
                0 => self.both.wait(),
                _ => self.both.ring(),
            }
        }
        if has_taken && self.done.fetch_add(1, order) + 1 == self.all {
            self.over.ring();
        }
        self.busy.fetch_sub(1, order);
        fence(order);
        self.search.find_one(self);
        true
    }

    fn work(&self, number: usize) {
        let (seat, bell) = &self.seats[number];
        let mut searches = self.search.begin();
        while self.ends.load(Ordering::SeqCst) == 0 {
            if searches && self.take() {
                searches = self.search.begin();
                continue;
            }
            if self.search.rest(seat, searches, self) {
                searches = true;
                continue;
            }
            bell.wait();
            searches = seat.rise();
        }
    }
}

fn explore_search(workers: usize, cores: usize, makers: &'static [usize], bound: usize) {
    explore(workers, cores, makers, false, bound);
}

fn explore(workers: usize, cores: usize, makers: &'static [usize], is_plain: bool, bound: usize) {
    let seen = check(bound, move |judge| {
        let crew = Arc::new(Crew {
            search: WorkSearch::new(),
            seats: (0..workers).map(|_| (Station::new(), Bell::new())).collect(),
            work: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            all: makers.iter().sum(),
            busy: AtomicUsize::new(0),
            cores,
            is_plain,
            over: Bell::new(),
            taken: AtomicUsize::new(0),
            both: Bell::new(),
            ends: AtomicUsize::new(0),
        });
        let mut threads: Vec<_> = (0..workers)
            .map(|number| {
                let crew = Arc::clone(&crew);
                thread::spawn(move || crew.work(number))
            })
            .collect();
        let make = |crew: &Crew, count| (0..count).for_each(|_| crew.make());
        threads.extend(makers[1..].iter().map(|&count| {
            let crew = Arc::clone(&crew);
            thread::spawn(move || make(&crew, count))
        }));
        make(&crew, makers[0]);
        crew.over.wait();
        crew.ends.store(1, Ordering::SeqCst);
        crew.seats.iter().for_each(|(_, bell)| bell.ring());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        judge(crew.done.load(Ordering::SeqCst));
    });
    assert_eq!(seen, BTreeSet::from([makers.iter().sum()]));
}

#[test]
fn a_worker_finds_one() {
    explore_search(1, 1, &[1], 5);
}

#[test]
fn a_worker_finds_what_comes() {
    explore_search(1, 1, &[2], 4);
}

#[test]
fn two_make_work_for_a_worker() {
    explore_search(1, 1, &[1, 1], 3);
}

#[test]
fn two_workers_find_two_at_once() {
    explore_search(2, 2, &[2], 2);
}

#[test]
fn a_worker_finds_what_comes_without_a_barrier() {
    explore(1, 1, &[2], true, 4);
}

#[test]
fn two_workers_find_two_without_a_barrier() {
    explore(2, 2, &[2], true, 2);
}

#[test]
fn of_two_workers_one_works_at_a_time() {
    explore_search(2, 1, &[2], 2);
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
