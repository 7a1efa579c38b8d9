//! A definition's habit: whether another core had better take its processes at once.
//!
//! A process is *brief* if it ends in the turn in which it began. Brief processes that take their time gain by another core. A
//! process that waits for others may lose by it.

use std::sync::atomic::{AtomicU32, Ordering};

/// A brief process of this length is worth a steal, in nanoseconds.
const LONG: u32 = 500;

/// No longer time counts, in nanoseconds.
const MOST: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Habit {
    /// The mean time of a brief process, in nanoseconds. Others count as 0, and the value 0 means that nothing is known.
    mean: AtomicU32,
    /// The definition is that of one function.
    learns: bool,
}

impl Habit {
    pub(crate) const fn new() -> Self {
        Self { mean: AtomicU32::new(0), learns: true }
    }

    /// Makes the habit of a definition that has functions of all kinds. Nothing is learnt of them.
    pub(crate) const fn mixed() -> Self {
        Self { mean: AtomicU32::new(0), learns: false }
    }

    /// Returns whether the processes are known to be brief, and to take their time.
    #[inline(always)]
    pub(crate) fn is_worth_a_steal(&self) -> bool {
        self.mean.load(Ordering::Relaxed) >= LONG
    }

    /// Notes how long a process took, in nanoseconds: 0 if it was not brief. Returns how many of the next processes are as
    /// many as one to measure, at most `most`: measuring costs less than a hundredth of what is measured.
    pub(crate) fn learn(&self, took: u64, most: u32) -> u32 {
        if !self.learns {
            return most;
        }
        let took = took.min(MOST) as u32;
        let before = self.mean.load(Ordering::Relaxed);
        let mean = match before {
            // The first one may have been slow because nothing was in the caches, so one alone proves nothing.
            0 => (took / 4).min(LONG - 1),
            _ if took < before => before / 2 + took / 2,
            // One that was interrupted counts for little, however long that was.
            _ => (before + (took - before) / 4).min((before * 2).max(LONG / 4)),
        };
        // Other cores have this in their caches, so a small change is not noted.
        if before == 0 || mean.abs_diff(before) > before / 8 {
            self.mean.store(mean.max(1), Ordering::Relaxed);
        }
        match mean {
            ..LONG if before == 0 || took >= LONG => most.min(4),
            LONG.. => (5_000 / mean).clamp(1, most),
            _ => most,
        }
    }
}
