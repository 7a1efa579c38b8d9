//! Guards that are ready at a time, or always.
#![allow(unsafe_code)]
#![allow(missing_debug_implementations, reason = "what only macros see")]

use std::cell::{Cell, LazyCell};
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::choice::guard::{Before, Entry, Guard, Stand, Tried};
use crate::commit::waiter::Waiter;
use crate::sync::RawLock;
use crate::wait::blocked::{Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::Context;

/// `after(d)` and `at(t)`.
pub struct At {
    when: When,
    /// The time of `after`, known once the process has found nothing else ready.
    counted_from_here: Cell<Option<Instant>>,
}

#[derive(Clone, Copy)]
enum When {
    After(Duration),
    At(Instant),
}

/// The guard `after(duration)`.
pub fn after(duration: Duration) -> At {
    At { when: When::After(duration), counted_from_here: Cell::new(None) }
}

/// The guard `at(instant)`.
pub fn at(instant: Instant) -> At {
    At { when: When::At(instant), counted_from_here: Cell::new(None) }
}

impl At {
    fn has_come(&self) -> Tried {
        let come = match self.when {
            When::After(duration) => duration.is_zero(),
            When::At(instant) => instant <= Instant::now(),
        };
        if come { Tried::Come } else { Tried::NotYet }
    }

    /// For another round.
    pub(crate) fn begin(&self) {
        self.counted_from_here.set(None);
    }
}

// SAFETY: it stands nowhere.
unsafe impl Stand for At {
    fn lock(&self) -> Option<&dyn RawLock> {
        None
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        self.has_come()
    }

    fn try_after(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        before: &dyn Before,
    ) -> Option<Tried> {
        let come = self.has_come();
        (come != Tried::Come || before.are_alone()).then_some(come)
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        self.has_come()
    }

    unsafe fn look(&self) -> Tried {
        match self.has_come() {
            // Not for ever: one before it may have become ready sooner.
            Tried::Come => Tried::Performed,
            other => other,
        }
    }

    unsafe fn stand(&self, _: &Waiter, _: u32) {}

    fn withdraw(&self) {}

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn deadline(&self, now: &LazyCell<Instant>) -> Option<Instant> {
        // So far in the future that it never comes: some thirty years.
        const NEVER: Duration = Duration::from_secs(1 << 30);
        let deadline = match (self.when, self.counted_from_here.get()) {
            (When::At(instant), _) | (When::After(_), Some(instant)) => instant,
            (When::After(duration), None) => **now + duration.min(NEVER),
        };
        self.counted_from_here.set(Some(deadline));
        Some(deadline)
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Timeout, object: None }
    }
}

impl Guard for At {
    type Left = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, (): &()) {}
}

/// The guard `skip`.
pub struct Skip;

/// The guard `skip`.
pub fn skip() -> Skip {
    Skip
}

// SAFETY: it stands nowhere.
unsafe impl Stand for Skip {
    fn lock(&self) -> Option<&dyn RawLock> {
        None
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        Tried::Come
    }

    fn try_after(
        &self,
        _: &'static Context,
        _: &'static Location<'static>,
        before: &dyn Before,
    ) -> Option<Tried> {
        // It was ready when the only one before it was not.
        (before.is_one() || before.are_alone()).then_some(Tried::Come)
    }

    unsafe fn attempt(&self, _: &mut Wakes) -> Tried {
        Tried::Come
    }

    unsafe fn look(&self) -> Tried {
        Tried::Come
    }

    unsafe fn stand(&self, _: &Waiter, _: u32) {}

    fn withdraw(&self) {}

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Skip, object: None }
    }
}

impl Guard for Skip {
    type Left = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, (): &()) {}
}
