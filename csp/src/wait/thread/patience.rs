//! How long a thread looks for its partner before it sleeps.
//!
//! A partner on another core often comes within a microsecond, and a wake-up takes twenty. So a thread looks for a while,
//! and lets others have the core between two looks: its partner may be one of them. How long, it learns from how long it
//! has slept: a sleep that was shorter than the looking would have been was a mistake. If others want the core for long,
//! the thread sleeps soon: a woken thread gets the core back before one that only yielded it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The number of looks before it reads the clock, which takes 25 ns: most partners come by then.
const UNTIMED: u32 = 2;

/// The longest time that it looks, in nanoseconds. A look takes some 250 if no other thread wants
/// the core.
const MOST: u32 = 64_000;
const LEAST: u32 = 4_000;

/// Longer than all looks take, including the time to fall asleep and to be woken.
const BRIEF: Duration = Duration::from_micros(100);

/// A deadline this near must not be missed by looking.
const SOON: Duration = Duration::from_micros(200);

/// The patience of one thread, which alone touches it.
#[derive(Debug)]
pub(crate) struct Patience(AtomicU32);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(MOST))
    }

    /// Looks whether its partner comes, until the deadline, and returns whether it has come
    /// meanwhile.
    pub(crate) fn look(
        &self,
        deadline: Option<Instant>,
        mut has_come: impl FnMut() -> bool,
    ) -> bool {
        static CORES: LazyLock<usize> =
            LazyLock::new(|| thread::available_parallelism().map_or(1, Into::into));
        // On one core no partner comes while this thread looks. A model has no time.
        if cfg!(loom) || *CORES < 2 {
            return false;
        }
        if deadline.is_some_and(|deadline| deadline < Instant::now() + SOON) {
            return has_come();
        }
        // The first looks go without the clock.
        for _ in 0..UNTIMED {
            if has_come() {
                return true;
            }
            thread::yield_now();
        }
        // Then it looks for as long as it has learnt.
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

    /// Notes that it had to sleep all the same.
    pub(crate) fn slept(&self, since: Instant) {
        let patience = match since.elapsed() < BRIEF {
            true => MOST,
            false => (self.0.load(Ordering::Relaxed) / 2).max(LEAST),
        };
        self.0.store(patience, Ordering::Relaxed);
    }
}
