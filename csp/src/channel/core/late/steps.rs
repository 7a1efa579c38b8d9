//! Lines, step by step: all short histories of some readers and a writer, and many long ones, beside what must hold after each step.
//!
//! Each step is one that the lock makes whole. So the order of steps is all that threads could change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::super::state::{Found, Placed, State};
use crate::commit::offer::Offer;
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{EARLIEST, Stamp};
use crate::commit::waiter::Waiter;
use crate::models::{all_are_found, begin_schedulers, is_on_scheduler, lines_come_later};
use crate::report::termination::Termination;
use crate::sync::planted::is_planted;
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{Context, Park};

/// A mistake, and a test that finds it.
const MISTAKES: [(&str, &str); 9] = [
    ("the next is not told", "short_histories"),
    ("nobody is told", "short_histories"),
    ("more values than readers", "short_histories"),
    ("a value for a later reader", "short_histories"),
    ("an end tells nobody", "short_histories"),
    ("a reader goes before one that was told", "long_histories"),
    ("one whose thread ends stands again", "long_histories"),
    ("readers that stood before stay in the queue", "short_histories_before_there_are_lines"),
    ("readers that stood before are not counted", "short_histories_before_there_are_lines"),
];

/// The schedulers of the readers.
const READERS: [usize; 5] = [1, 1, 1, 2, 3];

/// Threads end in the last steps only, because there are too many histories otherwise.
const SHORTEST: usize = 1;

/// A step of a history: the reader of this number reads, or goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Read(usize),
    GoOn(usize),
    Write,
    /// A reader is committed to a value that is made later. It gets that at once here.
    Make,
    /// The thread of the reader ends. `last` says that the reader does not go on.
    Dismiss {
        reader: usize,
        last: bool,
    },
    End,
}

#[derive(Default)]
struct Unparked(AtomicUsize);

impl Park for Unparked {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("nobody runs here")
    }

    fn unpark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A read that has not returned.
struct Reading {
    offer: Box<Offer<u32>>,
    _waiter: Box<Waiter>,
    context: &'static Context,
    /// Its thread ends.
    dismissed: bool,
    park: &'static Unparked,
    /// Its line, and when it came there. `None` if it stood before there were lines.
    line: Option<(usize, Stamp)>,
    /// When it came, among all reads.
    came: usize,
    /// The number of values written when it began.
    began: u32,
}

impl Reading {
    /// Returns its line, and when it came there. The first line has those that stood before there were lines.
    fn line(&self) -> (usize, Stamp) {
        self.line.unwrap_or((0, EARLIEST))
    }

    fn is_woken(&self) -> bool {
        self.park.0.load(Ordering::Relaxed) > 0
    }
}

struct World {
    state: State<u32>,
    reads: Vec<Option<Reading>>,
    written: u32,
    /// The number of reads that have come.
    came: usize,
    got: Vec<u32>,
    /// The values that came back from readers whose thread has ended.
    returned: Vec<u32>,
}

/// The reader with which lines begin: the first one, or the first one of a second scheduler.
#[derive(Clone, Copy)]
enum Begun {
    AtOnce,
    Later,
}

impl World {
    fn new(begun: Begun) -> Self {
        begin_schedulers();
        if matches!(begun, Begun::Later) {
            lines_come_later();
        }
        let mut state = State::new(0);
        *state.ends(crate::wait::blocked::Side::Reader) = 1;
        let (reads, got, returned) = (READERS.map(|_| None).into(), Vec::new(), Vec::new());
        Self { state, reads, written: 0, came: 0, got, returned }
    }

    /// Stands, again if it was told in vain.
    fn stand(&mut self, reader: usize, again: Option<Reading>) {
        is_on_scheduler(READERS[reader]);
        let park: &'static Unparked = Box::leak(Box::default());
        let context: &'static Context = Box::leak(Box::new(Context::new(park)));
        let waiter = Box::new(Waiter::single(context));
        let offer = Box::new(Offer::new(&waiter, 0, false));
        let line = match &again {
            Some(before) => Some(before.line()),
            None if self.state.has_line(context) => {
                Some(self.state.comes_to_line(context.scheduler()))
            }
            None => None,
        };
        // SAFETY: both are in boxes, and kept.
        #[allow(unsafe_code)]
        match line {
            Some((at, stamp)) => {
                let lines = self.state.late.lines();
                lines.standing += 1;
                unsafe { lines.lines[at].line.push(&offer, stamp, again.is_some()) };
            }
            None => unsafe { self.state.readers.push(&offer) },
        }
        let (came, began) = again.map_or((self.came, self.written), |it| (it.came, it.began));
        self.came += 1;
        let (dismissed, _waiter) = (false, waiter);
        self.reads[reader] =
            Some(Reading { offer, _waiter, context, dismissed, park, line, came, began });
    }

    fn possible(&self) -> Vec<Step> {
        let ended = self.state.ended.is_some();
        let of = |(number, read): (usize, &Option<Reading>)| match read {
            None => (!ended).then_some(Step::Read(number)),
            Some(read) => read.is_woken().then_some(Step::GoOn(number)),
        };
        let mut steps: Vec<_> = self.reads.iter().enumerate().filter_map(of).collect();
        if !ended {
            steps.extend([Step::Write, Step::Make, Step::End]);
        }
        if self.state.late.is_on() && !ended {
            let stands = |read: &Reading| !read.is_woken();
            let standing =
                (0..READERS.len()).filter(|it| self.reads[*it].as_ref().is_some_and(stands));
            let dismissals = |reader| [false, true].map(|last| Step::Dismiss { reader, last });
            steps.extend(standing.flat_map(dismissals));
        }
        steps
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Read(reader) => {
                let to = Parcel::empty();
                match self.state.find(false, || &to) {
                    Found::InBuffer(_) => self.got.extend(to.take()),
                    _ => self.stand(reader, None),
                }
            }
            Step::GoOn(reader) => self.go_on(reader),
            Step::Write => {
                let value = Parcel::full(self.written);
                match self.state.place(&value) {
                    Placed::With(partner) => partner.wake(),
                    Placed::InBuffer => {}
                    Placed::Nowhere => return,
                }
                self.written += 1;
            }
            Step::Make => {
                if let Some(partner) = self.state.customer() {
                    partner.put(&Parcel::full(self.written));
                    partner.wake();
                    self.written += 1;
                }
            }
            Step::Dismiss { reader, last } => self.dismiss(reader, last),
            Step::End => self.state.end(Termination::Retired, &mut Wakes::new()),
        }
        self.check();
    }

    fn dismiss(&mut self, reader: usize, last: bool) {
        let read = self.reads[reader].as_mut().expect("it reads");
        let context = std::ptr::from_ref(read.context).addr();
        let told = self.state.late.lines().told;
        let (here, value) = self.state.late.dismiss(context, last);
        assert!(here, "it stands in a line");
        read.dismissed = true;
        if self.state.late.lines().told == told {
            self.reads[reader] = None;
        }
        if let Some(value) = value {
            self.returned.push(value);
            self.state.take_back(&Parcel::full(value), &mut Wakes::new());
        }
    }

    fn go_on(&mut self, reader: usize) {
        let read = self.reads[reader].take().expect("it reads");
        assert_eq!(read.park.0.load(Ordering::Relaxed), 1, "woken once");
        let to = Parcel::empty();
        if !read.offer.value().pass(&to) {
            let ended = self.state.ended.is_some();
            // It stood in the queue, and was told of the end.
            if self.state.late.lines.is_none() {
                assert!(ended, "woken for nothing");
                return;
            }
            let (at, stamp) = read.line();
            if !self.state.late.lines().take(at, stamp, false, &to) {
                if read.dismissed && is_planted("one whose thread ends stands again") {
                    // It is told so again and again, until it goes on no more.
                    self.state.late.lines().told += 1;
                    self.state.late.lines().lines[at].told += 1;
                } else if !ended && !read.dismissed {
                    self.stand(reader, Some(read));
                }
                return;
            }
        }
        let value = to.take().expect("it has one");
        let in_time = value >= read.began || self.returned.contains(&value);
        assert!(in_time, "a value that was written before the read began");
        self.got.push(value);
        // An end wakes all, which go on in the order of their scheduler.
        let goes_before = |(number, other): (usize, &Option<Reading>)| {
            let other = other.as_ref().filter(|_| READERS[number] == READERS[reader]);
            other.is_some_and(|it| it.came < read.came && !it.offer.value().is_full())
        };
        let first = !self.reads.iter().enumerate().any(goes_before);
        // The readers of a thread that ends are told one after another, and take what is there.
        let in_turn = first || read.dismissed || self.state.ended.is_some();
        assert!(in_turn, "served before one that came first");
    }

    /// Checks what must hold whenever the lock is free.
    fn check(&mut self) {
        let reads = || self.reads.iter().flatten();
        let told: Vec<_> = reads()
            .filter(|read| read.is_woken() && !read.offer.value().is_full())
            .map(Reading::line)
            .collect();
        let standing: Vec<_> = reads().filter(|it| !it.is_woken()).map(Reading::line).collect();
        let Some(lines) = &self.state.late.lines else { return };
        assert_eq!((lines.told, lines.standing), (told.len(), standing.len()));
        for (n, (moment, _)) in lines.ahead.iter().enumerate() {
            let early = told.iter().chain(&standing).filter(|(_, stamp)| stamp < moment).count();
            assert!(early > n, "value {n} that is ahead has {early} readers");
        }
        let Some((newest, _)) = lines.ahead.back() else { return };
        for (at, stamp) in &standing {
            let waits = stamp < newest && !told.iter().any(|(line, _)| line == at);
            assert!(!waits, "nobody of line {at} is told");
        }
    }

    /// Lets all go on that can. Then each value that was written has been read.
    fn finish(mut self) {
        while let Some(go_on) =
            self.possible().into_iter().find(|step| matches!(step, Step::GoOn(_)))
        {
            self.step(go_on);
        }
        if self.state.ended.is_some() {
            assert!(self.reads.iter().all(Option::is_none), "a reader waits at an ended channel");
        }
        self.got.extend(self.state.buffer.drain(..));
        self.got.sort_unstable();
        assert_eq!(self.got, (0..self.written).collect::<Vec<_>>(), "each is read once");
    }
}

/// Runs this in a model, because all that it uses belongs to models. It has one thread.
fn in_a_model<R: Send + 'static>(run: impl Fn() -> R + Send + Sync + 'static) -> R {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 4_000;
    let result = Arc::new(Mutex::new(None));
    let found = Arc::clone(&result);
    builder.check(move || *found.lock().unwrap() = Some(run()));
    result.lock().unwrap().take().expect("it ran")
}

/// Plays a history, and returns the steps that could follow.
fn play(begun: Begun, history: &[Step]) -> Vec<Step> {
    let history = history.to_vec();
    in_a_model(move || {
        let mut world = World::new(begun);
        history.iter().for_each(|step| world.step(*step));
        let next = world.possible();
        world.finish();
        next
    })
}

fn explore(begun: Begun, history: &mut Vec<Step>, depth: usize) {
    let next = play(begun, history);
    if depth == 0 {
        return;
    }
    for step in next {
        if matches!(step, Step::Dismiss { .. }) && depth > SHORTEST {
            continue;
        }
        // The readers of one scheduler are alike, so they begin in their order.
        let alike = |reader: usize| reader > 0 && READERS[reader - 1] == READERS[reader];
        if matches!(step, Step::Read(n) if alike(n) && !history.contains(&Step::Read(n - 1))) {
            continue;
        }
        history.push(step);
        explore(begun, history, depth - 1);
        history.pop();
    }
}

#[test]
fn short_histories() {
    explore(Begun::AtOnce, &mut Vec::new(), 7);
}

#[test]
fn short_histories_before_there_are_lines() {
    explore(Begun::Later, &mut Vec::new(), 6);
}

#[test]
fn long_histories() {
    for seed in 1..5_000_u64 {
        in_a_model(move || {
            let begun = if seed % 2 == 0 { Begun::AtOnce } else { Begun::Later };
            // The first numbers after a small seed are small.
            let (mut world, mut random) =
                (World::new(begun), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for _ in 0..60 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let mut steps = world.possible();
                // An end would make the rest short.
                steps.retain(|step| *step != Step::End || random % 64 == 0);
                let ends = (random >> 40) % 8 == 0;
                steps.retain(|step| ends || !matches!(step, Step::Dismiss { .. }));
                if steps.is_empty() {
                    break;
                }
                let step = steps[(random >> 8) as usize % steps.len()];
                world.step(step);
            }
            world.finish();
        });
    }
}

#[test]
fn each_mistake_is_found() {
    all_are_found(module_path!(), &MISTAKES);
}
