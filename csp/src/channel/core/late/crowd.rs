//! A hundred thousand readers of one channel, on two schedulers: no step takes more instructions than with a hundred.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::ToldReaders;
use crate::channel::core::state::{Found, Placed, Placing, ReaderPlace, State};
use crate::commit::offer::Offer;
use crate::commit::parcel::Parcel;
use crate::commit::queue::line::{EARLIEST, Stamp};
use crate::commit::waiter::Waiter;
use crate::wait::blocked::{Blocked, Side};
use crate::wait::park::{Context, Park, Ready};

const FEW: usize = 100;
const MANY: usize = 100_000;

/// The steps of which the instructions are counted.
const STEPS: usize = 32;

/// Returns how many instructions a call executes. A copy of this process is traced, instruction by instruction. `None` says that the
/// system does not allow that.
fn instructions(call: impl FnOnce()) -> Option<u64> {
    // SAFETY: the copy runs the call and ends. It returns to nobody.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // SAFETY: these concern the copy alone.
        unsafe {
            if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == -1 {
                libc::_exit(2);
            }
            libc::raise(libc::SIGSTOP);
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_ok();
        // SAFETY: as above.
        unsafe { libc::_exit(if done { 0 } else { 1 }) };
    }
    let (mut status, mut count) = (0, 0);
    loop {
        // SAFETY: it is a child of this process, and `status` is there.
        assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
        if libc::WIFEXITED(status) {
            assert_ne!(libc::WEXITSTATUS(status), 1, "the call panicked");
            return (libc::WEXITSTATUS(status) == 0).then_some(count);
        }
        assert!(libc::WIFSTOPPED(status), "it is killed by nobody: {status}");
        // SAFETY: it has stopped, and this process traces it.
        assert_ne!(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, copy, 0, 0) }, -1);
        count += 1;
    }
}

/// Checks that these steps take as many instructions with many readers as with few. `setup` makes a crowd of that many.
fn takes_the_same(what: &str, setup: impl Fn(usize) -> Crowd, step: impl Fn(&mut Crowd)) {
    let of = |n: usize| {
        let mut crowd = setup(n);
        let nothing = instructions(|| ())?;
        Some(instructions(|| (0..STEPS).for_each(|_| step(&mut crowd)))? - nothing)
    };
    let Some((few, many)) = of(FEW).zip(of(MANY)) else {
        return eprintln!("skipped: no process may be traced here");
    };
    let steps = STEPS as u64;
    println!("{what}: {} instructions with {FEW}, {} with {MANY}", few / steps, many / steps);
    // The search for a moment takes a step for each bit of the number of values.
    assert!(many <= 2 * few, "{what}: {few} instructions with few readers, {many} with many");
}

struct Unparked(AtomicUsize);

impl Park for Unparked {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("nobody runs here")
    }

    fn unpark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A scheduler on which no thread runs.
fn scheduler() -> (&'static Ready, &'static Context) {
    let park: &'static Unparked = Box::leak(Box::new(Unparked(AtomicUsize::new(0))));
    let ready: &'static Ready = Box::leak(Box::new(Ready::new()));
    let context: &'static Context = Box::leak(Box::new(Context::new(park)));
    context.queue_at(Some(ready));
    (ready, context)
}

/// A channel and its readers. All readers of a scheduler have one context, which only counts.
struct Crowd {
    state: State<u64>,
    schedulers: [(&'static Ready, &'static Context); 2],
    /// Where each reader stands, and when it came there. The first one stood before there were lines.
    came: [Vec<(usize, Stamp)>; 2],
    /// The readers of each scheduler that have got a value.
    served: [usize; 2],
}

impl Crowd {
    fn new() -> Self {
        let mut state = State::new(0);
        *state.ends(Side::Reader) = 1;
        let schedulers = [scheduler(), scheduler()];
        let mut crowd = Self { state, schedulers, came: [vec![], vec![]], served: [0, 0] };
        crowd.come(0, 1);
        crowd.come(1, 1);
        crowd
    }

    /// Half of so many readers are of each scheduler, and come by turns.
    fn of(readers: usize) -> Self {
        let mut crowd = Self::new();
        (0..readers / 2).for_each(|_| {
            crowd.come(0, 1);
            crowd.come(1, 1);
        });
        crowd
    }

    /// Lets readers of a scheduler come.
    fn come(&mut self, scheduler: usize, count: usize) {
        let context = self.schedulers[scheduler].1;
        for _ in 0..count {
            let waiter: &'static Waiter = Box::leak(Box::new(Waiter::single(context)));
            let offer: &'static Offer<u64> = Box::leak(Box::new(Offer::new(waiter, 0, false)));
            if matches!(self.state.place_of(context), ReaderPlace::Line) {
                let (at, stamp) = self.state.comes_to_line(context.scheduler());
                let lines = self.state.late.lines();
                lines.standing += 1;
                // SAFETY: both stay where they are.
                unsafe { lines.each[at].readers.push(offer, stamp, false) };
                self.came[scheduler].push((at, stamp));
            } else {
                // SAFETY: as above.
                unsafe { self.state.readers.push(offer) };
                self.came[scheduler].push((0, EARLIEST));
            }
        }
    }

    fn write(&mut self, value: u64) -> Placed<u64> {
        self.state.place(&Parcel::full(value), Placing::Plain)
    }

    /// Writes values of which it is not known who gets them. None waits with its writer.
    fn write_ahead(&mut self, count: usize) {
        for value in 0..count as u64 {
            let placed = self.state.place_late(&Parcel::full(value), Placing::Now);
            assert!(matches!(placed, Placed::InBuffer(_)), "nobody is spare");
        }
    }

    /// Lets a reader of this scheduler go on, which was told.
    fn take(&mut self, scheduler: usize) {
        let came = self.came[scheduler][self.served[scheduler]];
        self.served[scheduler] += 1;
        let (to, mut told) = (Parcel::empty(), ToldReaders::nobody());
        self.state.late.lines().came(came.0);
        let found = self.state.find_told(came, false, &to, &mut told);
        assert!(matches!(found, Found::InBuffer(_)), "there is a value");
        told.wake();
    }
}

#[test]
fn a_value_is_kept_ahead() {
    takes_the_same("kept ahead", Crowd::of, |crowd| crowd.write_ahead(1));
    let with_values = |readers: usize| {
        let mut crowd = Crowd::of(readers);
        crowd.write_ahead(readers * 2 / 3);
        crowd
    };
    takes_the_same("kept behind others", with_values, |crowd| crowd.write_ahead(1));
}

#[test]
fn a_spare_scheduler_gets_a_value() {
    takes_the_same("handed over", Crowd::of, |crowd| {
        crowd.schedulers[1].0.set_spare(true);
        match crowd.write(7) {
            Placed::With(reader) => reader.wake(),
            _ => panic!("it is spare"),
        }
    });
}

#[test]
fn readers_that_were_told_take_values() {
    let with_values = |readers: usize| {
        let mut crowd = Crowd::of(readers);
        crowd.write_ahead(readers);
        crowd
    };
    let by_turns = |crowd: &mut Crowd| {
        crowd.take(0);
        crowd.take(1);
    };
    takes_the_same("taken by turns", with_values, by_turns);
    takes_the_same("taken by one scheduler", with_values, |crowd| crowd.take(1));
}

/// The first half of the values is for readers that do not go on.
#[test]
fn readers_take_values_from_the_middle() {
    let with_older = |readers: usize| {
        let mut crowd = Crowd::new();
        crowd.come(0, readers / 2);
        crowd.write_ahead(readers / 2);
        // The one that came first takes a value for all.
        crowd.take(1);
        crowd.come(1, readers / 2);
        crowd.write_ahead(readers / 2);
        crowd
    };
    takes_the_same("taken from the middle", with_older, |crowd| crowd.take(1));
}
