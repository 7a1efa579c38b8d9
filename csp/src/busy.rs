//! Who runs long without communicating: a coroutine that does keeps its thread from all the others.
//!
//! Looked at from the thread of the watch, now and then. A scheduler counts its turns anyway, and shows whose turn it is; a process
//! that is still in the same turn when it is looked at again has not communicated since.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backend;
use crate::holders::Who;

/// In milliseconds; 0: nobody is told.
static LIMIT: AtomicU64 = AtomicU64::new(UNSET);
const UNSET: u64 = u64::MAX;

/// So often within the limit.
const LOOKS: u32 = 4;

/// How long a coroutine may run without communicating before that is said on standard error, once for each process
/// function; `None`: for ever.
///
/// One second unless said in debug builds of this library, for ever in others; the environment variable `CSP_BUSY` sets
/// it from outside, in milliseconds, or `off`. It costs a look at each scheduler every quarter of the time, from a thread of the
/// library's own (`CSP_WATCH=off` does without that thread), and nothing else. `main`, and a thread that
/// schedules coroutines, is not watched while it runs itself.
///
/// ```
/// csp::report::busy_after(Some(std::time::Duration::from_secs(5)));
/// ```
pub fn busy_after(limit: Option<Duration>) {
    let limit = limit.map_or(0, |limit| limit.as_millis().clamp(1, u128::from(UNSET - 1)) as u64);
    LIMIT.store(limit, Ordering::Relaxed);
    crate::watch::start();
}

fn limit() -> Option<Duration> {
    static FROM_OUTSIDE: OnceLock<u64> = OnceLock::new();
    let limit = match LIMIT.load(Ordering::Relaxed) {
        UNSET => *FROM_OUTSIDE.get_or_init(|| {
            let set = std::env::var("CSP_BUSY").ok();
            let unless_said = if cfg!(debug_assertions) { 1000 } else { 0 };
            match set.as_deref().map(str::trim) {
                Some("off") => 0,
                set => set.and_then(|limit| limit.parse().ok()).unwrap_or(unless_said),
            }
        }),
        limit => limit,
    };
    (limit > 0).then(|| Duration::from_millis(limit))
}

/// One process in one turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) who: Who,
    pub(crate) number: u32,
}

/// What was seen of the schedulers.
#[derive(Default)]
pub(crate) struct Busy {
    next: Option<Instant>,
    /// Of each scheduler, by address: what was seen last, and when first.
    seen: HashMap<usize, (Turn, Instant)>,
    told: HashSet<String>,
}

impl Busy {
    /// When it wants to look next.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        let limit = limit()?;
        let next = Instant::now() + limit / LOOKS;
        // The limit may have become shorter.
        self.next = Some(self.next.map_or(next, |before| before.min(next)));
        self.next
    }

    pub(crate) fn look(&mut self, now: Instant) {
        let Some(limit) = limit() else { return };
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = None;
        self.see(now, limit, backend::turns, tell);
    }

    /// `turns` are those that are under way.
    fn see(
        &mut self,
        now: Instant,
        limit: Duration,
        turns: impl FnOnce(&mut dyn FnMut(usize, Turn, &str)),
        mut tell: impl FnMut(&str, Duration),
    ) {
        let before = std::mem::take(&mut self.seen);
        turns(&mut |scheduler, turn, path| {
            let known = before.get(&scheduler).filter(|(seen, _)| *seen == turn);
            let since = known.map_or(now, |(_, since)| *since);
            if now - since >= limit && self.told.insert(function(path)) {
                tell(path, now - since);
            }
            self.seen.insert(scheduler, (turn, since));
        });
    }
}

/// The path without the numbers of replicas.
fn function(path: &str) -> String {
    let steps = path.split('/').map(|step| step.split('[').next().unwrap_or(step));
    steps.collect::<Vec<_>>().join("/")
}

fn tell(path: &str, long: Duration) {
    // Not by `eprintln!`, which panics when nobody reads.
    let _ = writeln!(
        std::io::stderr(),
        "csp: `{path}` has run for {long:.1?} without communicating; the other coroutines of its thread wait meanwhile.\n\
         CPU work belongs into `csp::compute`, a blocking call into `csp::io`; or put the process on a thread (`on = thread`).\n\
         (Said once for each process function; CSP_BUSY sets the time in milliseconds, `off` turns it off.)"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_one_function() {
        assert_eq!(function("main/farm[3]/worker[10]"), "main/farm/worker");
        assert_eq!(function("main"), "main");
    }

    #[test]
    fn who_stays_in_one_turn_is_named_once_and_who_comes_again_never() {
        let (mut busy, begin) = (Busy::default(), Instant::now());
        let mut told = Vec::new();
        // Two schedulers: on one two replicas compute, one for ten times the limit and then the other; on the other
        // somebody talks.
        for time in 0..20_u32 {
            let computes =
                (1, Turn { who: Who { job: 7, index: time as usize / 10 }, number: time / 10 });
            let talks = (2, Turn { who: Who { job: 8, index: 0 }, number: time });
            let turns = |tell: &mut dyn FnMut(usize, Turn, &str)| {
                tell(computes.0, computes.1, &format!("main/computes[{}]", time / 10));
                tell(talks.0, talks.1, "main/talks");
            };
            let second = Duration::from_secs(1);
            busy.see(begin + time * second, 3 * second, turns, |path, long| {
                told.push((path.to_owned(), long));
            });
        }
        assert_eq!(told, [("main/computes[0]".to_owned(), Duration::from_secs(3))]);
    }
}
