//! Processes that sleep outside of this library while nobody else goes on, so that they sleep for ever.
//!
//! One that has a thread of its own may wait in its own way: for a lock, a `OnceLock`, another thread. As long as anybody goes on that
//! may be right. It is reported if only such sleepers are awake, they have no deadline, and all others wait in the library.
//!
//! Looked at from the thread of the watch. While anybody wakes up it costs one load.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::words;
use crate::report::{ProcessState, State};
use crate::system::quiet::{self, Moment};
use crate::system::{stderr, thread_id};
use crate::wait::seen::agents;
use crate::wait::seen::others::{self, Others};
use crate::wait::thread::relief;

/// How many processes are named of each kind.
const NAMED: usize = 8;

/// If there are more threads than this, those that the library does not know are not asked.
const THREADS: usize = 256;

/// A thread that is awake to the library, and sleeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Sleeper {
    path: String,
    thread: u32,
    /// How often it has fallen asleep.
    times: u64,
}

/// The last look.
#[derive(Debug)]
struct Seen {
    moment: Moment,
    sleepers: Vec<Sleeper>,
    strangers: Vec<(u32, u64)>,
    since: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Outside {
    seen: Option<Seen>,
    told: HashSet<Vec<Sleeper>>,
}

impl Outside {
    /// Reports the threads that have slept for this long.
    pub(crate) fn look(&mut self, now: Instant, limit: Duration) {
        let moment = Moment::now();
        let Some(before) = self.seen.take().filter(|seen| seen.moment == moment) else {
            let (sleepers, strangers) = (Vec::new(), Vec::new());
            self.seen = Some(Seen { moment, sleepers, strangers, since: now });
            return;
        };
        let (sleepers, strangers) = match sleepers().and_then(|all| Some((all, strangers()?))) {
            Some((sleepers, strangers)) if is_all(moment, sleepers.len()) => (sleepers, strangers),
            _ => (Vec::new(), Vec::new()),
        };
        let is_same = before.sleepers == sleepers && before.strangers == strangers;
        let since = if is_same { before.since } else { now };
        let lasts = !sleepers.is_empty() && now - since >= limit;
        if lasts && !self.told.contains(&sleepers) && is_alone(moment) {
            self.tell(&sleepers, now - since, moment);
        }
        self.seen = Some(Seen { moment, sleepers, strangers, since });
    }

    fn tell(&mut self, sleepers: &[Sleeper], long: Duration, moment: Moment) {
        let network = words::here();
        let waits = |process: &&ProcessState| matches!(&process.state, State::Blocked(wait) if wait.left.is_none());
        let waiting: Vec<_> = network.processes().iter().filter(waits).collect();
        // If nobody waits in the library, it is the program's own affair.
        if waiting.iter().all(|process| process.is_daemon()) || Moment::now() != moment {
            return;
        }
        // The sleepers, and then a few of those that wait.
        self.told.insert(sleepers.to_vec());
        let names: Vec<_> =
            sleepers.iter().take(NAMED).map(|sleeper| format!("`{}`", sleeper.path)).collect();
        let have = if sleepers.len() == 1 { "has" } else { "have" };
        let mut text = format!(
            "csp: {} {have} slept outside of this library for {long:.1?}, until another thread wakes it, and nobody else goes on.\nMeanwhile wait:\n",
            names.join(", ")
        );
        for process in waiting.iter().take(NAMED) {
            let _ = writeln!(text, "  {}", process.line());
        }
        if waiting.len() > NAMED {
            let _ = writeln!(text, "  and {} more", waiting.len() - NAMED);
        }
        text.push_str(
            "If one of them holds what it sleeps for, such as a lock, none of them ever goes on: see `csp::guide::held`.\n\
             (CSP_BUSY=off turns this off.)\n",
        );
        stderr::say(text);
    }
}

/// Returns whether nobody is awake except these sleepers, which sleep outside.
fn is_all(moment: Moment, sleepers: usize) -> bool {
    moment.counts(relief::computing() + sleepers.cast_signed())
}

/// Returns whether nobody computes, and no other OS process may send anything.
fn is_alone(moment: Moment) -> bool {
    matches!(others::others(), Others::None) && relief::workers_rest() && Moment::now() == moment
}

/// Returns the threads that are awake to the library and sleep for good. Returns `None` if one of
/// the awake threads does not sleep so.
fn sleepers() -> Option<Vec<Sleeper>> {
    let mut all = Some(Vec::new());
    // The names are asked for last. To look at one costs a barrier, and mostly the first thread does not sleep so.
    let mut add = |thread, path: &dyn Fn() -> String| {
        let times = all.as_ref().and_then(|_| thread_id::sleeps_for_good(thread));
        match (&mut all, times) {
            (Some(all), Some(times)) => all.push(Sleeper { path: path(), thread, times }),
            _ => all = None,
        }
        all.is_some()
    };
    agents::turns(&mut |_, _, holder| {
        add(holder.thread(), &|| holder.path());
    });
    let _ = agents::awake().all(|(path, thread)| add(thread, &|| path.clone()));
    all.map(|mut all| {
        all.sort();
        all
    })
}

/// Returns the threads that the library does not know, if all of them sleep for good.
fn strangers() -> Option<Vec<(u32, u64)>> {
    if !quiet::has_strangers() {
        return Some(Vec::new());
    }
    let asleep = |thread| Some((thread, thread_id::sleeps_for_good(thread)?));
    thread_id::others(THREADS)?.into_iter().map(asleep).collect()
}
