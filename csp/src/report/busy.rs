//! How long a coroutine may have the turn before that is told of. The watch reads it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The limit in milliseconds. It is 0 if there is none.
static LIMIT: AtomicU64 = AtomicU64::new(UNSET);
const UNSET: u64 = u64::MAX;

/// How long a coroutine may run without communicating before that is said on standard error, once for each process
/// function; `None`: for ever.
///
/// One second unless said. In builds of this library without debug assertions a coroutine is then named only if it is a
/// *suspect*: other processes of its thread are ready meanwhile, or its thread sleeps outside of this library, for a lock
/// that another coroutine holds, say. See [Held over a wait](crate::guide::held). Once a time is set every coroutine that runs so long is
/// named. The environment variable `CSP_BUSY` sets it from outside: in milliseconds, `suspects`, or `off`.
///
/// It costs a look at each scheduler every quarter of the time, or once a second, from a thread of the
/// library's own (`CSP_WATCH=off` does without that thread), and nothing else. `main`, and any other thread that
/// schedules coroutines, is named only while it sleeps outside of this library and coroutines of it are ready. A process that has a thread
/// of its own is named if it sleeps so while nobody else in the program goes on.
///
/// ```
/// csp::report::busy_after(Some(std::time::Duration::from_secs(5)));
/// ```
pub fn busy_after(limit: Option<Duration>) {
    let limit = limit.map_or(0, |limit| limit.as_millis().clamp(1, u128::from(UNSET - 1)) as u64);
    LIMIT.store(limit, Ordering::Relaxed);
}

/// The value that was set last, in milliseconds.
pub(crate) fn busy_limit() -> Option<u64> {
    let limit = LIMIT.load(Ordering::Relaxed);
    (limit != UNSET).then_some(limit)
}
