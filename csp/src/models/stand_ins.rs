//! Stand-ins: threads of `compute` that sleep in a job are replaced while jobs stand in the queue.
//!
//! The counts are the real ones. A queue, a pool of one thread, and the sleep of a thread are modelled. Each execution
//! checks that
//! - every job ends, whichever job it waits for (otherwise `loom` calls it a deadlock),
//! - the number of those who are awake never becomes 0,
//! - in the end no thread counts as away, no stand-in as working, and no job as under way.
//!
//! Each mistake of [`MISTAKES`] makes a model fail.

use loom::sync::{Condvar, Mutex};
use std::collections::VecDeque;

use super::*;
use crate::backend::offload::rayon::counts::{PoolCounts, Threads};
use crate::sync::{AtomicUsize, Ordering};

/// A mistake, and a model that finds it.
const MISTAKES: [(&str, &str); 8] = [
    // A thread counts itself after its sleep instead of before it.
    ("late", "a_job_waits_for_a_later_one"),
    // A job that comes does not look whether a thread sleeps.
    ("unseen", "a_job_waits_for_a_later_one"),
    // A thread that is awake again still counts as away.
    ("kept", "a_job_waits_for_a_later_one"),
    // A stand-in that sleeps does not say so.
    ("silent", "a_stand_in_is_replaced_too"),
    // A turn on a stack that is not free is lost.
    ("lost", "a_turn_is_left"),
    // A job is counted as awake only when it begins.
    ("uncounted", "a_job_waits_for_a_later_one"),
    // The fences in the counts.
    ("came", "a_job_waits_for_a_later_one"),
    ("leaves", "a_job_waits_for_a_later_one"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regular,
    StandIn,
}

type Job = Box<dyn FnOnce(&Rc<Crew>, Kind)>;

/// `loom` lets no other thread in while a cell is used.
struct Crew {
    counts: PoolCounts,
    jobs: RefCell<VecDeque<Job>>,
    /// The number of jobs in the queue.
    length: AtomicUsize,
    /// The turns that the thread of the pool has not taken.
    turns: Mutex<usize>,
    turn_came: Condvar,
    /// The starts that no stand-in has followed yet, and whether there will be no more.
    starts: Mutex<(usize, bool)>,
    start_came: Condvar,
    stand_ins: RefCell<Vec<thread::JoinHandle<()>>>,
    /// The number of stand-ins that have no job.
    idle: Cell<usize>,
    /// The number of jobs and threads that are awake, as `quiet` counts them.
    awake: AtomicUsize,
}

impl Threads for Rc<Crew> {
    fn has_jobs(&self) -> bool {
        self.length.load(Ordering::SeqCst) > 0
    }

    fn size(&self) -> usize {
        1
    }

    fn start_stand_in(&self) -> bool {
        match self.idle.get().checked_sub(1) {
            Some(idle) => self.idle.set(idle),
            None => {
                let crew = Self::clone(self);
                self.stand_ins.borrow_mut().push(thread::spawn(move || crew.be_stand_in()));
            }
        }
        self.starts.lock().unwrap().0 += 1;
        self.start_came.notify_one();
        true
    }

    fn wake(&self) {
        self.awake.fetch_add(1, Ordering::SeqCst);
    }

    fn fall_asleep(&self) {
        assert!(self.awake.fetch_sub(1, Ordering::SeqCst) > 1, "nobody is awake");
    }
}

trait Acts {
    fn put(&self, job: impl FnOnce(&Rc<Crew>, Kind) + 'static);
    fn do_first(&self, kind: Kind) -> bool;
    fn take_turn(&self, is_free: bool);
    fn be_stand_in(&self);
}

impl Acts for Rc<Crew> {
    /// Does as `compute` does.
    fn put(&self, job: impl FnOnce(&Rc<Crew>, Kind) + 'static) {
        if !is_planted("uncounted") {
            self.counts.job_begins(self);
        }
        self.jobs.borrow_mut().push_back(Box::new(move |crew, kind| {
            if is_planted("uncounted") {
                crew.counts.job_begins(crew);
            }
            job(crew, kind);
            crew.counts.job_has_ended(crew);
        }));
        self.length.fetch_add(1, Ordering::SeqCst);
        *self.turns.lock().unwrap() += 1;
        self.turn_came.notify_one();
        if !is_planted("unseen") {
            self.counts.job_came(self);
        }
    }

    fn do_first(&self, kind: Kind) -> bool {
        let less = |length: usize| length.checked_sub(1);
        if self.length.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return false;
        }
        let job = self.jobs.borrow_mut().pop_front().expect("it was counted");
        job(self, kind);
        true
    }

    /// Waits for the next turn and takes it, on a stack that is free or not.
    fn take_turn(&self, is_free: bool) {
        let mut turns = self.turns.lock().unwrap();
        while *turns == 0 {
            turns = self.turn_came.wait(turns).unwrap();
        }
        *turns -= 1;
        drop(turns);
        if is_free || !is_planted("lost") {
            self.counts.turn(self, is_free, || self.do_first(Kind::Regular));
        }
    }

    fn be_stand_in(&self) {
        loop {
            let mut starts = self.starts.lock().unwrap();
            while starts.0 == 0 && !starts.1 {
                starts = self.start_came.wait(starts).unwrap();
            }
            let Some(others) = starts.0.checked_sub(1) else { return };
            starts.0 = others;
            drop(starts);
            let rest = || self.idle.set(self.idle.get() + 1);
            self.counts.stand_in(self, || self.do_first(Kind::StandIn), rest);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Sleeps,
    Set,
}

/// Something that one thread waits for.
struct Event {
    state: Mutex<State>,
    changed: Condvar,
}

impl Event {
    fn new() -> Rc<Self> {
        Rc::new(Self { state: Mutex::new(State::Empty), changed: Condvar::new() })
    }

    /// Waits as a plain thread does. `None` is the thread that gives the jobs.
    fn wait(&self, crew: &Rc<Crew>, kind: Option<Kind>) {
        let mut state = self.state.lock().unwrap();
        if *state == State::Set {
            return;
        }
        *state = State::Sleeps;
        drop(state);
        let leaves = || match kind {
            Some(Kind::Regular) => crew.counts.leaves(crew),
            Some(Kind::StandIn) if is_planted("silent") => {}
            Some(Kind::StandIn) => crew.counts.stand_in_leaves(crew),
            None => {}
        };
        if !is_planted("late") {
            leaves();
        }
        crew.fall_asleep();
        let mut state = self.state.lock().unwrap();
        while *state != State::Set {
            state = self.changed.wait(state).unwrap();
        }
        drop(state);
        if is_planted("late") {
            leaves();
        }
        match kind {
            Some(Kind::Regular) if is_planted("kept") => {}
            Some(Kind::Regular) => crew.counts.returns(),
            Some(Kind::StandIn) if is_planted("silent") => {}
            Some(Kind::StandIn) => crew.counts.stand_in_returns(),
            None => {}
        }
    }

    fn set(&self, crew: &Rc<Crew>) {
        let mut state = self.state.lock().unwrap();
        if std::mem::replace(&mut *state, State::Set) == State::Sleeps {
            crew.wake();
        }
        self.changed.notify_one();
    }
}

/// Runs `main`, which gives jobs and waits for their end, beside a thread of the pool, in every order.
fn explore_crew(pool: fn(&Rc<Crew>), main: fn(&Rc<Crew>)) {
    let seen = check(3, move |judge| {
        let crew = Rc::new(Crew {
            counts: PoolCounts::new(),
            jobs: RefCell::default(),
            length: AtomicUsize::new(0),
            turns: Mutex::new(0),
            turn_came: Condvar::new(),
            starts: Mutex::new((0, false)),
            start_came: Condvar::new(),
            stand_ins: RefCell::default(),
            idle: Cell::new(0),
            awake: AtomicUsize::new(1),
        });
        let its = Rc::clone(&crew);
        let pool = thread::spawn(move || pool(&its));
        main(&crew);
        pool.join().unwrap();
        // A stand-in that has begun to end may start itself once more.
        crew.starts.lock().unwrap().1 = true;
        crew.start_came.notify_all();
        while let Some(stand_in) = { crew.stand_ins.borrow_mut().pop() } {
            stand_in.join().unwrap();
        }
        let counts = &crew.counts;
        assert!(!crew.has_jobs(), "a job was left over");
        judge((counts.under_way(), counts.away(), counts.standing_in()));
    });
    assert_eq!(seen, BTreeSet::from([(0, 0, 0)]));
}

/// Takes this many turns, each on a free stack.
fn turns<const N: usize>(crew: &Rc<Crew>) {
    (0..N).for_each(|_| crew.take_turn(true));
}

#[test]
fn a_job_waits_for_a_later_one() {
    explore_crew(turns::<2>, |crew| {
        let (later, over) = (Event::new(), Event::new());
        let (waits, done) = (Rc::clone(&later), Rc::clone(&over));
        crew.put(move |crew, kind| {
            waits.wait(crew, Some(kind));
            done.set(crew);
        });
        crew.put(move |crew, _| later.set(crew));
        over.wait(crew, None);
    });
}

#[test]
fn a_job_waits_for_one_that_it_gives() {
    explore_crew(turns::<2>, |crew| {
        let over = Event::new();
        let done = Rc::clone(&over);
        crew.put(move |crew, kind| {
            let inner = Event::new();
            let ends = Rc::clone(&inner);
            crew.put(move |crew, _| ends.set(crew));
            inner.wait(crew, Some(kind));
            done.set(crew);
        });
        over.wait(crew, None);
    });
}

#[test]
fn a_stand_in_is_replaced_too() {
    explore_crew(turns::<3>, |crew| {
        let (second, third, over) = (Event::new(), Event::new(), Event::new());
        let (waits, done) = (Rc::clone(&second), Rc::clone(&over));
        crew.put(move |crew, kind| {
            waits.wait(crew, Some(kind));
            done.set(crew);
        });
        let waits = Rc::clone(&third);
        crew.put(move |crew, kind| {
            waits.wait(crew, Some(kind));
            second.set(crew);
        });
        crew.put(move |crew, _| third.set(crew));
        over.wait(crew, None);
    });
}

/// The first job waits for a part of its loop, and its thread takes the next turn meanwhile. The part does not end before that
/// other job.
#[test]
fn a_turn_is_left() {
    explore_crew(turns::<1>, |crew| {
        let over = Event::new();
        let (first_begins, done) = (Event::new(), Rc::clone(&over));
        let begins = Rc::clone(&first_begins);
        let second = Event::new();
        let waits = Rc::clone(&second);
        crew.put(move |crew, kind| {
            begins.set(crew);
            if kind == Kind::Regular {
                crew.take_turn(false);
            }
            let mut state = waits.state.lock().unwrap();
            while *state != State::Set {
                state = waits.changed.wait(state).unwrap();
            }
            drop(state);
            done.set(crew);
        });
        first_begins.wait(crew, None);
        crew.put(move |crew, _| second.set(crew));
        over.wait(crew, None);
    });
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
