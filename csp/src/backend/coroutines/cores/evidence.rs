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

/// How long evidence is good.
const GOOD: Duration = Duration::from_millis(1);

/// A thief's knowledge of the others.
pub(super) struct Meter {
    watched: Option<Measured>,
    proven: Option<Proven>,
}

/// The state of a scheduler at one moment.
#[derive(Clone, Copy)]
struct Measured {
    of: &'static Scheduler,
    when: Instant,
    /// The CPU time of its thread, if that is known.
    used: Option<Duration>,
    /// Its turns, and the jobs that it started.
    turns: u32,
    begun: u32,
}

/// A scheduler from which the thief has taken something that was worth it.
#[derive(Clone, Copy)]
struct Proven {
    of: &'static Scheduler,
    when: Instant,
    /// The number of processes that the thief itself had begun then.
    begun: u32,
}

impl Measured {
    fn now(of: &'static Scheduler) -> Self {
        let share = &of.share;
        let turns = of.turns.load(Ordering::Relaxed);
        Self {
            of,
            when: Instant::now(),
            used: cpu_time(share.clock.load(Ordering::Relaxed)),
            turns: turns.wrapping_add(share.started.load(Ordering::Relaxed)),
            begun: share.begun.load(Ordering::Relaxed),
        }
    }

    /// Returns whether the turns have been long since an earlier reading. A thread that the system has suspended is not
    /// busy.
    fn are_long_since(&self, before: &Self) -> bool {
        let took = self.when - before.when;
        let used = match (before.used, self.used) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => took,
        };
        let turns = self.turns.wrapping_sub(before.turns);
        let begun = self.begun.wrapping_sub(before.begun);
        let turns = turns.saturating_add(begun.saturating_mul(BEGINNING));
        used >= took.mul_f64(0.8) && used >= LONG.saturating_mul(turns)
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
            let mine = thief.share.begun.load(Ordering::Relaxed).wrapping_sub(begun);
            let since = when.elapsed();
            if since >= GOOD || since < LONG.saturating_mul(mine) {
                self.proven = None;
            } else if has_some(&of) {
                return Some(of);
            }
        }
        let still = |watched: &Measured| has_some(&watched.of);
        let Some(before) = self.watched.filter(still) else {
            self.watched = pool.members().find(has_some).map(Measured::now);
            return None;
        };
        if before.when.elapsed() < WINDOW {
            return None;
        }
        // The next one in turn is watched next, if this one is not worth it.
        let now = Measured::now(before.of);
        let next = pool.members().skip_while(|other| !ptr::eq(*other, before.of)).skip(1);
        self.watched = next.chain(pool.members()).find(has_some).map(Measured::now);
        now.are_long_since(&before).then_some(before.of)
    }

    /// Notes that the thief has taken something from this scheduler.
    pub(super) fn took(&mut self, from: &'static Scheduler, thief: &'static Scheduler) {
        let begun = thief.share.begun.load(Ordering::Relaxed);
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
