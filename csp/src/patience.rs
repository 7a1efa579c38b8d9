//! How long a thread looks for what it waits for, before it sleeps.
//!
//! A partner on another core often comes within a microsecond, and to be woken takes twenty. So a thread looks for a while,
//! and lets others have the core between two looks: its partner may be one of them. How long, it
//! learns from how long it has slept: a sleep that was shorter than the looking would have been was a mistake. Where others
//! want the core for long it sleeps soon: who is woken gets the core back before one who only let others have it.
#![cfg_attr(loom, allow(dead_code))]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// So often it looks before it reads the clock, which takes 25 ns: most come by then.
const UNTIMED: u32 = 2;

/// So long it looks, in nanoseconds; a look takes some 250 where nobody else wants the core.
const MOST: u32 = 64_000;
const LEAST: u32 = 4_000;

/// Longer than all looks take, with what it takes to fall asleep and to be woken.
const BRIEF: Duration = Duration::from_micros(100);

/// A deadline so near is not to be missed by looking.
const SOON: Duration = Duration::from_micros(200);

/// Of one thread; touched by that alone.
#[derive(Debug)]
pub(crate) struct Patience(AtomicU32);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(MOST))
    }

    /// Whether what it waits for until the deadline has come meanwhile.
    pub(crate) fn look(
        &self,
        deadline: Option<Instant>,
        mut has_come: impl FnMut() -> bool,
    ) -> bool {
        static CORES: LazyLock<usize> =
            LazyLock::new(|| thread::available_parallelism().map_or(1, Into::into));
        // On one core nobody comes while another looks; and a model has no time.
        if cfg!(loom) || *CORES < 2 {
            return false;
        }
        if deadline.is_some_and(|deadline| deadline < Instant::now() + SOON) {
            return has_come();
        }
        for _ in 0..UNTIMED {
            if has_come() {
                return true;
            }
            thread::yield_now();
        }
        let began = Instant::now();
        let patience = Duration::from_nanos(self.0.load(Ordering::Relaxed).into());
        loop {
            if has_come() {
                return true;
            }
            if began.elapsed() > patience {
                return false;
            }
            thread::yield_now();
        }
    }

    /// It had to sleep all the same.
    pub(crate) fn slept(&self, since: Instant) {
        let patience = match since.elapsed() < BRIEF {
            true => MOST,
            false => (self.0.load(Ordering::Relaxed) / 2).max(LEAST),
        };
        self.0.store(patience, Ordering::Relaxed);
    }
}
