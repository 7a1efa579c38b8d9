//! The evidence that a scheduler is busy with long turns, so that others had better take what it has not started.
//!
//! A process that communicates has short turns. Taken apart, such a network only becomes slower. So a thief watches for a while.

use std::ptr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::pool::CorePool;
use crate::backend::coroutines::scheduler::Scheduler;

/// How long a thief watches a scheduler before it judges.
const WINDOW: Duration = Duration::from_micros(20);

/// Turns are long from this mean on.
const LONG: Duration = Duration::from_nanos(500);

/// How much a process that begins counts, in turns: its first turn includes its start.
const BEGINNING: u32 = 4;

/// The time that is taken off for each half of a new stack. The system gives it memory in two steps: when it is made, and in its first
/// turn. Each step is counted when it is over.
const HALF_STACK: Duration = Duration::from_micros(5);

/// How long evidence is good.
const GOOD: Duration = Duration::from_millis(1);

/// A thief's knowledge of the others.
pub(super) struct Meter {
    watched: Option<(&'static Scheduler, Sighting)>,
    proven: Option<Proven>,
}

/// The values that a thief reads of a scheduler. Each comes at a moment of its own, because the thief itself may be suspended at any time.
trait Gauge {
    fn when(&self) -> Instant;
    /// Returns the CPU time of its thread, if that is known.
    fn used(&self) -> Option<Duration>;
    fn turns(&self) -> Turns;
}

/// The number of turns of a scheduler, of jobs that it started among them, of processes that have begun, and of halves of
/// stacks that it made.
#[derive(Clone, Copy)]
struct Turns {
    all: u32,
    begun: u32,
    stacks: u32,
}

/// The state of a scheduler, as it was read between two moments.
#[derive(Clone, Copy)]
struct Sighting {
    began: Instant,
    used: Option<Duration>,
    turns: Turns,
    ended: Instant,
}

/// A scheduler from which the thief has taken something that was worth it.
#[derive(Clone, Copy)]
struct Proven {
    of: &'static Scheduler,
    when: Instant,
    /// The number of processes that the thief itself had begun then.
    begun: u32,
}

impl Sighting {
    fn of(gauge: &impl Gauge) -> Self {
        let began = gauge.when();
        let (used, turns) = (gauge.used(), gauge.turns());
        Self { began, used, turns, ended: gauge.when() }
    }

    /// Looks again, after this reading. Returns whether the turns have been long in between, once that is known.
    fn look(&mut self, gauge: &impl Gauge) -> Option<bool> {
        if gauge.when() - self.began < WINDOW {
            return None;
        }
        let now = Self::of(gauge);
        let before = std::mem::replace(self, now);
        now.is_close_to(&before).then(|| now.are_long_since(&before))
    }

    /// Returns whether the thief was not suspended since an earlier reading. If it was, the whole machine may have stood still, and
    /// that counts as CPU time of the threads that it has interrupted.
    fn is_close_to(&self, before: &Self) -> bool {
        self.ended - before.began < WINDOW * 3
    }

    /// Returns whether the turns have been long since an earlier reading. A thread that the system has suspended is not
    /// busy.
    fn are_long_since(&self, before: &Self) -> bool {
        let took = self.ended - before.began;
        let used = match (before.used, self.used) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => took,
        };
        let (now, before) = (self.turns, before.turns);
        let begun = now.begun.wrapping_sub(before.begun);
        let turns = now.all.wrapping_sub(before.all);
        let turns = turns.saturating_add(begun.saturating_mul(BEGINNING));
        // The system gives memory to a new stack. That takes as long as many turns, and says nothing of those.
        let stacks = now.stacks.wrapping_sub(before.stacks);
        let in_turns = used.saturating_sub(HALF_STACK.saturating_mul(stacks));
        used >= took.mul_f64(0.8) && in_turns >= LONG.saturating_mul(turns.max(1))
    }
}

impl Gauge for Scheduler {
    fn when(&self) -> Instant {
        Instant::now()
    }

    fn used(&self) -> Option<Duration> {
        cpu_time(self.share.clock.load(Ordering::Relaxed))
    }

    fn turns(&self) -> Turns {
        let all = self.turns.load(Ordering::Relaxed);
        Turns {
            all: all.wrapping_add(self.share.started.load(Ordering::Relaxed)),
            // Only differences matter.
            begun: self.share.begun.load(Ordering::Relaxed) as u32,
            stacks: self.share.stacks.load(Ordering::Relaxed),
        }
    }
}

impl Meter {
    pub(super) const fn new() -> Self {
        Self { watched: None, proven: None }
    }

    /// Begins to watch anew.
    pub(super) fn begins(&mut self) {
        self.watched = None;
    }

    /// Returns a scheduler that has processes to take, and whose turns have been seen to be long.
    pub(super) fn victim(
        &mut self,
        thief: &'static Scheduler,
        pool: &CorePool,
    ) -> Option<&'static Scheduler> {
        let has_some = |other: &&'static Scheduler| {
            !ptr::eq(*other, thief) && other.share.stealable.load(Ordering::Relaxed) > 0
        };
        if let Some(Proven { of, when, begun }) = self.proven {
            let mine = thief.turns().begun.wrapping_sub(begun);
            let since = when.elapsed();
            if since >= GOOD || since < LONG.saturating_mul(mine) {
                self.proven = None;
            } else if has_some(&of) {
                return Some(of);
            }
        }
        let watched = self.watched.as_mut().filter(|(of, _)| has_some(of));
        let Some((of, reading)) = watched else {
            self.watched = pool.members().find(has_some).map(|of| (of, Sighting::of(of)));
            return None;
        };
        let of = *of;
        let are_long = reading.look(of)?;
        // The next one in turn is watched next, if this one is not worth it.
        let next = pool.members().skip_while(|other| !ptr::eq(*other, of)).skip(1);
        let next = next.chain(pool.members()).find(has_some);
        self.watched = next.map(|next| (next, Sighting::of(next)));
        are_long.then_some(of)
    }

    /// Notes that the thief has taken something from this scheduler.
    pub(super) fn took(&mut self, from: &'static Scheduler, thief: &'static Scheduler) {
        let begun = thief.turns().begun;
        self.proven = Some(Proven { of: from, when: Instant::now(), begun });
    }
}

/// Returns the time that this clock of a thread shows.
fn cpu_time(clock: i32) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes a time. The clock of a thread that has ended is an error.
        let shown = clock != 0 && unsafe { libc::clock_gettime(clock, &raw mut time) } == 0;
        shown.then(|| Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = clock;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A scheduler with turns of one length, and a clock that goes on by a step with each reading.
    struct Planted {
        began: Instant,
        now: Cell<Duration>,
        turn: Duration,
        /// The part of its time in which its thread has a core.
        share: f64,
        /// The readings so far, and the one before which the thief is suspended.
        readings: Cell<u32>,
        suspended: u32,
        /// The same for all threads, because the whole machine stands still. The system counts that as CPU time.
        stalled: u32,
        lost: Cell<Duration>,
        /// The number of halves of stacks that it makes in each turn.
        stacks: u32,
    }

    const STEP: Duration = Duration::from_nanos(50);
    const SUSPENDED: Duration = Duration::from_millis(10);

    fn planted(turn: Duration) -> Planted {
        let (now, lost, readings) = Default::default();
        let (began, share, suspended, stalled) = (Instant::now(), 1.0, u32::MAX, u32::MAX);
        Planted { began, now, turn, share, readings, suspended, stalled, lost, stacks: 0 }
    }

    impl Planted {
        fn passes(&self) -> Duration {
            let number = self.readings.replace(self.readings.get() + 1);
            let interrupted = number == self.suspended || number == self.stalled;
            let longer = if interrupted { SUSPENDED } else { Duration::ZERO };
            if number == self.stalled {
                self.lost.set(longer);
            }
            self.now.set(self.now.get() + STEP + longer);
            self.now.get()
        }

        /// Returns the verdict, after as many looks as it takes.
        fn verdict(&self) -> bool {
            let mut reading = Sighting::of(self);
            loop {
                if let Some(are_long) = reading.look(self) {
                    return are_long;
                }
            }
        }
    }

    impl Gauge for Planted {
        fn when(&self) -> Instant {
            self.began + self.passes()
        }

        fn used(&self) -> Option<Duration> {
            Some(self.passes().mul_f64(self.share))
        }

        fn turns(&self) -> Turns {
            let worked = (self.passes() - self.lost.get()).mul_f64(self.share);
            let turns = worked.as_nanos() / self.turn.as_nanos();
            let all = u32::try_from(turns).expect("few");
            // A stack is made for a process that begins.
            let begun = if self.stacks > 0 { all } else { 0 };
            Turns { all, begun, stacks: self.stacks * all }
        }
    }

    #[test]
    fn long_turns_are_evidence_and_short_ones_are_none() {
        for turn in [600, 1_000, 15_000, 1_000_000].map(Duration::from_nanos) {
            assert!(planted(turn).verdict(), "{turn:?}");
        }
        for turn in [10, 18, 100, 400].map(Duration::from_nanos) {
            assert!(!planted(turn).verdict(), "{turn:?}");
        }
    }

    #[test]
    fn a_thread_that_the_system_has_suspended_is_not_busy() {
        let turn = Duration::from_micros(1);
        assert!(!Planted { share: 0.0, ..planted(turn) }.verdict());
        assert!(!Planted { share: 0.7, ..planted(turn) }.verdict());
        assert!(Planted { share: 0.9, ..planted(turn) }.verdict());
    }

    #[test]
    fn new_stacks_are_no_evidence() {
        for turn in [1, 3, 6].map(Duration::from_micros) {
            assert!(!Planted { stacks: 2, ..planted(turn) }.verdict(), "{turn:?}");
        }
        // The halves of many stacks, each with its cold memory.
        assert!(!Planted { stacks: 4, ..planted(Duration::from_micros(15)) }.verdict());
    }

    #[test]
    fn a_scheduler_that_makes_a_stack_in_each_window_is_busy_if_its_turns_are_long() {
        for turn in [15, 20, 40].map(Duration::from_micros) {
            assert!(Planted { stacks: 2, ..planted(turn) }.verdict(), "{turn:?}");
        }
    }

    /// The system gives memory to a stack when it is made, and when its first process touches it.
    #[test]
    fn the_first_turn_of_a_stack_counts_beside_its_making() {
        let counted = || {
            let scheduler = Scheduler::of_this_thread();
            scheduler.share.stacks.load(Ordering::Relaxed)
        };
        std::thread::spawn(move || {
            let before = counted();
            // The reserve is a stack, too.
            let in_turn = crate::spawn(crate::process(counted)).join();
            assert_eq!(in_turn, before + 2);
            assert_eq!(counted(), before + 3);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thief_that_is_suspended_finds_no_long_turns_among_short_ones() {
        // Before each of its readings: more than there are within a window.
        for suspended in 0..1_000 {
            let turn = Duration::from_nanos(18);
            assert!(!Planted { suspended, ..planted(turn) }.verdict(), "reading {suspended}");
        }
    }

    #[test]
    fn a_machine_that_stands_still_shows_no_long_turns_among_short_ones() {
        for stalled in 0..1_000 {
            let turn = Duration::from_nanos(18);
            assert!(!Planted { stalled, ..planted(turn) }.verdict(), "reading {stalled}");
        }
    }
}
