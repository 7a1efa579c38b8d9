//! How often a scheduler looks at its letters while it has something to do.
//!
//! A look costs about as much as a short turn, so it comes after many of them. A scheduler whose turns are long looks more often, because
//! processes of other cores wait for what it would do next.

use std::time::{Duration, Instant};

use super::share::{Membership, Share};

/// The time that should pass between two looks.
const PERIOD: Duration = Duration::from_micros(2);

/// How many looks go without the clock, which takes 25 ns, while turns are short.
const UNTIMED: u32 = 8;

impl Share {
    /// Returns after how many turns the scheduler looks again: at most `most`. The present turn has the number `turn`.
    #[inline]
    pub(in crate::backend::coroutines) fn next_look(&self, turn: u32, most: u32) -> u32 {
        let untimed = self.untimed.get();
        if untimed > 0 {
            self.untimed.set(untimed - 1);
            return most;
        }
        self.next_look_by_time(turn, most)
    }

    #[cold]
    fn next_look_by_time(&self, turn: u32, most: u32) -> u32 {
        let shares = matches!(self.membership.get(), Membership::Member | Membership::Worker);
        if !shares {
            self.untimed.set(UNTIMED);
            return most;
        }
        let now = Instant::now();
        let Some((before, when)) = self.timed.replace(Some((turn, now))) else { return most };
        let turns = turn.wrapping_sub(before).max(1);
        let mean = (now - when) / turns;
        let next = PERIOD.as_nanos() / mean.as_nanos().max(1);
        let next = u32::try_from(next).unwrap_or(most).clamp(1, most);
        if next == most {
            self.timed.set(None);
            self.untimed.set(UNTIMED);
        }
        next
    }

    /// Returns whether a process starts now though others are ready. This is so once in `most` turns.
    pub(in crate::backend::coroutines) fn starts_one(&self, turn: u32, most: u32) -> bool {
        let starts = turn.wrapping_sub(self.last_start.get()) >= most;
        if starts {
            self.last_start.set(turn);
        }
        starts
    }
}
