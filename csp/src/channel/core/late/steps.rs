//! A channel with lines, step by step, beside what must hold after each step.
//!
//! Each step is one that the lock makes whole. So the order of steps is all that threads could change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::super::state::{Found, Placed, Placing, ReaderPlace, State};
use crate::commit::offer::{Offer, Partner};
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{EARLIEST, Stamp, ToldReaders};
use crate::commit::waiter::{Outcome, Waiter};
use crate::models::{begin_schedulers, is_on_scheduler, lines_come_later, most_for_one_are};
use crate::report::termination::Termination;
use crate::sync::planted::is_planted;
use crate::wait::blocked::{Blocked, Side};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{Context, Park};

/// The processes of a history.
#[derive(Clone, Copy)]
pub(super) struct Cast {
    /// The schedulers of the readers.
    pub(super) readers: &'static [usize],
    /// The readers from this number on choose between this channel and another.
    pub(super) choices: usize,
    /// The number of writers that may wait at once.
    pub(super) writers: usize,
    /// There are choices that write. One of them is committed elsewhere and has not withdrawn, or fails to make its value.
    pub(super) unsure: bool,
}

/// A step of a history: the reader of this number reads, or goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Read(usize),
    GoOn(usize),
    /// The choice of this number is committed to its other guard.
    Elsewhere(usize),
    Write,
    /// A choice writes. If it has to wait it is committed elsewhere at once, and has not withdrawn.
    WriteElsewhere,
    /// A choice is to make its value. If it has to wait it fails to make one.
    MakeNothing,
    /// The reader of this number learns that the choice it has met makes no value.
    Fail(usize),
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

impl Unparked {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Park for Unparked {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("nobody runs here")
    }

    fn unpark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An operation that stands, and has not returned.
pub(super) struct Standing {
    offer: Box<Offer<u32>>,
    pub(super) waiter: Box<Waiter>,
    context: &'static Context,
    park: &'static Unparked,
}

impl Standing {
    fn new(waiter: impl FnOnce(&'static Context) -> Waiter) -> Self {
        let park: &'static Unparked = Box::leak(Box::default());
        let context: &'static Context = Box::leak(Box::new(Context::new(park)));
        let waiter = Box::new(waiter(context));
        let offer = Box::new(Offer::new(&waiter, 0, false));
        Self { offer, waiter, context, park }
    }

    pub(super) fn is_woken(&self) -> bool {
        self.park.count() > 0
    }
}

/// A read that has not returned.
pub(super) struct Reading {
    pub(super) standing: Standing,
    /// It is a choice, which stands in the queue.
    pub(super) chooses: bool,
    /// There were lines when it came.
    pub(super) beside_lines: bool,
    /// Its thread ends.
    dismissed: bool,
    /// It waits for a choice that makes no value.
    pub(super) orders: bool,
    /// It has done so. Others of its line may have been served meanwhile.
    pub(super) lets_go: bool,
    /// Its line, and when it came there. `None` if it stood before there were lines.
    line: Option<(usize, Stamp)>,
    /// The step in which it came.
    pub(super) came: usize,
}

impl Reading {
    /// Returns its line, and when it came there. The first line has those that stood before there were lines.
    pub(super) fn line(&self) -> (usize, Stamp) {
        self.line.unwrap_or((0, EARLIEST))
    }

    pub(super) fn is_woken(&self) -> bool {
        self.standing.is_woken()
    }

    pub(super) fn has_value(&self) -> bool {
        self.standing.offer.value().is_full()
    }
}

pub(super) struct World {
    pub(super) cast: Cast,
    pub(super) state: State<u32>,
    is_owned: bool,
    pub(super) reads: Vec<Option<Reading>>,
    /// The writers that wait, with their values.
    pub(super) writers: Vec<(u32, Standing)>,
    /// The choices that write, and have no value for anybody. They are kept.
    pub(super) unsure: Vec<Standing>,
    /// The number of steps so far.
    now: usize,
    /// For each value the step in which its write returned.
    pub(super) written: Vec<Option<usize>>,
    pub(super) got: Vec<u32>,
    /// The values that came back from readers whose thread has ended.
    returned: Vec<u32>,
}

/// The reader with which lines begin: the first one, or the first one of a second scheduler.
#[derive(Clone, Copy)]
pub(super) enum Begun {
    AtOnce,
    Later,
    /// The same. Until then the thread of the first scheduler owns the lock, so nobody asks which readers stand.
    Owned,
}

impl World {
    pub(super) fn new(begun: Begun, cast: Cast) -> Self {
        begin_schedulers();
        if !matches!(begun, Begun::AtOnce) {
            lines_come_later();
        }
        if cast.writers > 0 {
            most_for_one_are(1);
        }
        let mut state = State::new(0);
        *state.ends(Side::Reader) = 1;
        Self {
            cast,
            state,
            is_owned: matches!(begun, Begun::Owned),
            reads: cast.readers.iter().map(|_| None).collect(),
            writers: Vec::new(),
            unsure: Vec::new(),
            now: 0,
            written: Vec::new(),
            got: Vec::new(),
            returned: Vec::new(),
        }
    }

    /// Stands, again if it was told in vain.
    fn stand(&mut self, reader: usize, again: Option<Reading>) {
        is_on_scheduler(self.cast.readers[reader]);
        let chooses = reader >= self.cast.choices;
        let standing = match chooses {
            true => Standing::new(|context| Waiter::many(context, 2)),
            false => Standing::new(Waiter::single),
        };
        // It asks first, as a process does that is asked about.
        let scheduler = standing.context.scheduler();
        self.is_owned &= self.cast.readers[reader] == 1;
        let beside_lines = self.state.late.is_on();
        let line = match &again {
            Some(before) => {
                if before.line() == (0, EARLIEST) {
                    self.goes_before_choices(before);
                }
                Some(before.line())
            }
            None if !chooses
                && !self.is_owned
                && matches!(self.state.place_of(standing.context), ReaderPlace::Line) =>
            {
                Some(self.state.comes_to_line(scheduler))
            }
            None => None,
        };
        // SAFETY: both are in boxes, and kept.
        #[allow(unsafe_code)]
        match line {
            Some((at, stamp)) => {
                let lines = self.state.late.lines();
                lines.standing += 1;
                unsafe { lines.each[at].readers.push(&standing.offer, stamp, again.is_some()) };
            }
            None => {
                unsafe { self.state.readers.push(&standing.offer) };
                self.state.reader_came();
            }
        }
        let lets_go = again.as_ref().is_some_and(|it| it.lets_go);
        let came = again.map_or(self.now, |it| it.came);
        let (dismissed, orders) = (false, false);
        self.reads[reader] = Some(Reading {
            standing,
            chooses,
            beside_lines,
            dismissed,
            orders,
            lets_go,
            line,
            came,
        });
    }

    pub(super) fn possible(&self) -> Vec<Step> {
        let ended = self.state.ended.is_some();
        let of = |(number, read): (usize, &Option<Reading>)| match read {
            None => (!ended).then_some(Step::Read(number)),
            Some(read) if read.orders => Some(Step::Fail(number)),
            Some(read) => read.is_woken().then_some(Step::GoOn(number)),
        };
        let mut steps: Vec<_> = self.reads.iter().enumerate().filter_map(of).collect();
        if ended {
            return steps;
        }
        steps.extend([Step::Write, Step::Make, Step::End]);
        if self.cast.unsure {
            steps.extend([Step::WriteElsewhere, Step::MakeNothing]);
        }
        for (number, read) in self.reads.iter().enumerate() {
            match read {
                Some(read) if read.is_woken() => {}
                Some(read) if read.chooses => steps.push(Step::Elsewhere(number)),
                Some(_) if self.state.late.is_on() => {
                    steps.extend([false, true].map(|last| Step::Dismiss { reader: number, last }));
                }
                _ => {}
            }
        }
        steps
    }

    /// Returns whether this reader waits without a value.
    pub(super) fn waits(&self, reader: usize) -> bool {
        self.reads[reader].as_ref().is_some_and(|read| !read.is_woken())
    }

    pub(super) fn step(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Read(reader) => {
                let to = Parcel::empty();
                is_on_scheduler(self.cast.readers[reader]);
                let read = Standing::new(Waiter::single);
                // It asks first, as a process does that is asked about.
                read.context.scheduler();
                let is_plain = reader < self.cast.choices;
                let is_free = !is_plain || !self.state.late.is_awaited();
                match self.finds(is_plain.then_some(read.context), &to) {
                    true => {
                        self.got.extend(to.take());
                        assert!(
                            is_free || self.is_first(reader, self.now),
                            "before one that stood"
                        );
                    }
                    false => self.stand(reader, None),
                }
            }
            Step::GoOn(reader) => self.go_on(reader, true),
            Step::Fail(reader) => self.go_on(reader, false),
            Step::Elsewhere(reader) => {
                let read = self.reads[reader].as_ref().expect("it stands");
                assert!(read.standing.waiter.commit(1), "nobody has it");
                read.standing.waiter.wake();
            }
            Step::Write => self.write(Placing::Plain),
            Step::WriteElsewhere => self.write(Placing::Offer),
            Step::Make => _ = self.make(),
            Step::MakeNothing => {
                if !self.make() {
                    self.stand_unsure(&Parcel::empty());
                }
            }
            Step::Dismiss { reader, last } => self.dismiss(reader, last),
            Step::End => self.state.end(Termination::Retired, &mut Wakes::new()),
        }
        self.check();
    }

    /// Makes a value for a reader, if there is one. It gets that at once.
    fn make(&mut self) -> bool {
        let (turn, later) = (self.turn(), self.later_choices());
        let Some(partner) = self.state.customer() else { return false };
        let value = self.next_value(true);
        partner.put(&Parcel::full(value));
        partner.wake();
        self.was_the_turn_of(turn);
        self.were_not_served(&later);
        true
    }

    /// Lets a choice stand that writes. Returns its waiter.
    fn stand_unsure(&mut self, value: &Parcel<u32>) -> &Waiter {
        let choice = Standing::new(|context| Waiter::many(context, 2));
        value.pass(choice.offer.value());
        // SAFETY: both are in boxes, and kept.
        #[allow(unsafe_code)]
        unsafe {
            self.state.writers.push(&choice.offer);
        }
        self.unsure.push(choice);
        &self.unsure.last().expect("as pushed").waiter
    }

    /// Looks for a value as a read does. A choice that it meets makes none.
    fn finds(&mut self, plain: Option<&'static Context>, to: &Parcel<u32>) -> bool {
        loop {
            match self.state.find(false, plain, || to) {
                Found::InBuffer(_) => return true,
                Found::With(writer) => {
                    if self.take_from(writer, to) {
                        return true;
                    }
                }
                Found::Nothing => return false,
            }
        }
    }

    /// Takes the value of a writer. Returns false if there is none yet.
    fn take_from(&mut self, writer: Partner<u32>, to: &Parcel<u32>) -> bool {
        let has_value = writer.pass(to);
        writer.wake();
        if has_value {
            let at = self.writers.iter().position(|(_, writer)| writer.is_woken());
            let (value, _) = self.writers.remove(at.expect("one of those that wait"));
            self.written[value as usize] = Some(self.now);
        }
        has_value
    }

    fn next_value(&mut self, is_written: bool) -> u32 {
        self.written.push(is_written.then_some(self.now));
        self.written.len() as u32 - 1
    }

    fn write(&mut self, whose: Placing) {
        let (turn, later) = (self.turn(), self.later_choices());
        let value = self.next_value(true);
        let parcel = Parcel::full(value);
        let some_told = self.state.late.is_told() && self.state.readers.is_empty();
        let has_writer = self.writers.iter().any(|(_, writer)| !writer.is_woken());
        match self.state.place(&parcel, whose) {
            Placed::With(partner) => partner.wake(),
            Placed::InBuffer(told) => {
                assert!(!some_told || !has_writer, "a writer that waits is overtaken");
                told.wake();
            }
            Placed::Nowhere => {
                self.written.pop();
                if whose == Placing::Offer {
                    assert!(self.stand_unsure(&parcel).commit(1), "nobody has it");
                } else if self.writers.len() < self.cast.writers {
                    let writer = Standing::new(Waiter::single);
                    parcel.pass(writer.offer.value());
                    // SAFETY: both are in boxes, and kept.
                    #[allow(unsafe_code)]
                    unsafe {
                        self.state.writers.push(&writer.offer);
                    }
                    let value = self.next_value(false);
                    self.writers.push((value, writer));
                }
                assert_eq!(turn, None, "a choice waits, and the writer does");
                return;
            }
        }
        self.was_the_turn_of(turn);
        self.were_not_served(&later);
    }

    fn dismiss(&mut self, reader: usize, last: bool) {
        let read = self.reads[reader].as_mut().expect("it reads");
        let context = std::ptr::from_ref(read.standing.context).addr();
        let ahead = |state: &State<u32>| -> Vec<(Stamp, u32)> {
            let lines = state.late.lines.as_ref().expect("it stands in one");
            lines.ahead.iter().map(|(moment, value)| (moment, *value)).collect()
        };
        let before = ahead(&self.state);
        let (here, unread) = self.state.dismiss_late(context, last, &mut Wakes::new());
        assert!(here, "it stands in a line");
        assert!(unread.is_none_or(|value| !value.is_full()), "the channel goes on");
        read.dismissed = true;
        if read.standing.waiter.decided() == Some(Outcome::Retry) {
            self.reads[reader] = None;
        }
        let after = ahead(&self.state);
        let came_back = before.iter().filter(|value| !after.contains(value));
        self.returned.extend(came_back.map(|(_, value)| *value));
    }

    /// Lets a reader go on. It was woken, or else waited for a value that is not made.
    fn go_on(&mut self, reader: usize, is_woken: bool) {
        let mut read = self.reads[reader].take().expect("it reads");
        assert_eq!(read.standing.park.count(), 1, "woken once");
        let to = Parcel::empty();
        if read.chooses {
            // It withdraws where it was not served.
            self.state.readers.remove(&read.standing.offer);
        }
        let served = read.standing.offer.value().pass(&to);
        if !served && (read.chooses || !self.take(&mut read, is_woken, &to)) {
            if read.orders {
                self.reads[reader] = Some(read);
                return;
            }
            let ended = self.state.ended.is_some();
            if read.dismissed && is_planted("one whose thread ends stands again") {
                // It is told so again and again, until it goes on no more.
                let at = read.line().0;
                self.state.late.lines().told += 1;
                self.state.late.lines().each[at].told += 1;
            } else if !ended && !read.dismissed && !read.chooses {
                self.stand(reader, Some(read));
            }
            return;
        }
        let value = to.take().expect("it has one");
        let in_time = self.written[value as usize].is_none_or(|written| written >= read.came);
        let in_time = in_time || self.returned.contains(&value);
        assert!(in_time, "a value that was written before the read began");
        self.got.push(value);
        if read.chooses {
            return;
        }
        // An end wakes all, which go on in the order of their scheduler.
        let first = self.is_first(reader, read.came);
        // The readers of a thread that ends are told one after another, and take what is there.
        let in_turn = first || read.dismissed || self.state.ended.is_some();
        assert!(in_turn, "served before one that came first");
    }

    /// Does what a plain reader does that was told, or whose writer has made nothing.
    fn take(&mut self, read: &mut Reading, is_told: bool, to: &Parcel<u32>) -> bool {
        read.orders = false;
        // It stood in the queue, and was told of the end.
        if self.state.late.lines.is_none() {
            assert!(self.state.ended.is_some(), "woken for nothing");
            return false;
        }
        let (at, stamp) = read.line();
        if is_told {
            self.state.late.lines().came(at);
        } else if is_planted("one whose writer has made nothing looks for no value ahead") {
            return self.finds(None, to);
        }
        let mut told = ToldReaders::nobody();
        let found = self.state.find_told((at, stamp), read.dismissed, to, &mut told);
        told.wake();
        match found {
            Found::InBuffer(_) => true,
            Found::Nothing => false,
            Found::With(writer) => {
                let has_value = self.take_from(writer, to);
                (read.orders, read.lets_go) = (!has_value, !has_value);
                has_value
            }
        }
    }
}
