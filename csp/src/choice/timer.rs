//! Time: sleeping, and regular ticks. Timeouts are guards: see [`alt!`](crate::alt).

use std::panic::Location;
use std::time::{Duration, Instant};

use super::choose;
use super::choose::choose_from;
use super::guard::Guard as _;
use super::guards::time::{self, At};
use crate::wait::park;

/// Waits for at least `duration`. Other processes go on meanwhile.
///
/// Idea: `SLEEP` of KRoC, `AFTER` of occam's timers.
///
/// ```
/// # use std::time::{Duration, Instant};
/// let start = Instant::now();
/// csp::sleep(Duration::from_millis(2));
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    wait_for(time::after(duration), Location::caller());
}

/// Waits until `instant`. Returns at once if that time has passed.
///
/// ```
/// # use std::time::{Duration, Instant};
/// let soon = Instant::now() + Duration::from_millis(2);
/// csp::sleep_until(soon);
/// assert!(Instant::now() >= soon);
/// ```
#[track_caller]
pub fn sleep_until(instant: Instant) {
    wait_for(time::at(instant), Location::caller());
}

/// The `async` form of [`sleep`].
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use csp::{parallel, process};
/// #[process]
/// async fn doze() {
///     csp::sleep_async(Duration::from_millis(2)).await;
/// }
/// # let start = Instant::now();
/// # parallel!(3 * doze());
/// # assert!(start.elapsed() >= Duration::from_millis(2));
/// ```
#[track_caller]
pub fn sleep_async(duration: Duration) -> impl Future<Output = ()> {
    await_time(time::after(duration), Location::caller())
}

/// The `async` form of [`sleep_until`].
#[track_caller]
pub fn sleep_until_async(instant: Instant) -> impl Future<Output = ()> {
    await_time(time::at(instant), Location::caller())
}

async fn await_time(mut time: At, place: &'static Location<'static>) {
    let _ = choose::several_async([time.offer()], place).await;
}

#[track_caller]
fn wait_for(mut time: At, place: &'static Location<'static>) {
    if park::current().is_polled() {
        park::refuse_to_wait("to sleep", "sleep_async(duration).await", place);
    }
    // A process that unwinds does not wait, and this function has no other way to fail.
    let _ = choose_from(park::current(), &[time.offer()][..], 0, place);
}

/// Returns ticks at a fixed distance, the first one period from now.
///
/// ```
/// # use std::time::{Duration, Instant};
/// let start = Instant::now();
/// for _ in csp::every(Duration::from_millis(1)).take(3) {}
/// assert!(start.elapsed() >= Duration::from_millis(3));
/// ```
///
/// # Panics
/// Panics if the period is zero, or longer than the clock can count.
#[track_caller]
#[must_use]
pub fn every(period: Duration) -> Every {
    assert!(!period.is_zero(), "a period is longer than nothing: the ticks would never end");
    let due = Instant::now().checked_add(period).expect("a tick is due when the clock can tell");
    Every { period, due }
}

/// The ticks of [`every`]: an iterator without end. Its `next` waits for a tick and returns the time when it was
/// due.
///
/// The ticks do not drift. If several ticks were missed, only the first of them is given, as by Go's `Ticker`. In
/// an alternation, `at(ticks.due())` is the guard. Call [`advance`](Self::advance) when it was chosen.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use csp::alt;
/// let mut ticks = csp::every(Duration::from_millis(1));
/// let first = ticks.due();
/// alt! { at(ticks.due()) => ticks.advance() }?;
/// assert!(Instant::now() >= first && ticks.due() > first);
/// # Ok::<(), csp::Termination>(())
/// ```
#[derive(Clone, Debug)]
pub struct Every {
    period: Duration,
    due: Instant,
}

impl Every {
    /// Returns the time when the next tick is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The `async` form of `next`: waits for the next tick and returns the time when it was due.
    #[track_caller]
    pub fn next_async(&mut self) -> impl Future<Output = Instant> {
        let place = Location::caller();
        async move {
            let due = self.due;
            await_time(time::at(due), place).await;
            self.advance();
            due
        }
    }

    /// Goes on to the first tick that is still ahead.
    pub fn advance(&mut self) {
        /// Nanoseconds of a second.
        const NANOS: u128 = 1_000_000_000;
        let late = Instant::now().saturating_duration_since(self.due);
        let since_the_last = late.as_nanos() % self.period.as_nanos();
        let (seconds, nanoseconds) = (since_the_last / NANOS, since_the_last % NANOS);
        self.due += late - Duration::new(seconds as u64, nanoseconds as u32) + self.period;
    }
}

impl Iterator for Every {
    type Item = Instant;

    #[track_caller]
    fn next(&mut self) -> Option<Instant> {
        let due = self.due;
        sleep_until(due);
        self.advance();
        Some(due)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_is_ahead_however_many_were_missed() {
        let late = Duration::from_secs(10);
        for period in [Duration::from_nanos(1), Duration::from_millis(7), 3 * late] {
            let mut ticks = every(period);
            let first = Instant::now() - late;
            ticks.due = first;
            let before = Instant::now();
            ticks.advance();
            assert!(before < ticks.due() && ticks.due() <= Instant::now() + period, "{period:?}");
            assert_eq!((ticks.due() - first).as_nanos() % period.as_nanos(), 0, "{period:?}");
        }
    }
}
