//! Finds processes that keep the turn for long: a coroutine that does not communicate keeps its thread from
//! all the others.
//!
//! The thread of the watch looks now and then. A scheduler counts its turns anyway, and shows which process has the turn. If a process is
//! still in the same turn at the next look, it has not communicated since. In builds without debug assertions only harmful processes are
//! reported. A process is harmful if others of its thread are ready, or if it sleeps where only another thread can wake it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::outside::Outside;
use crate::report::busy_limit;
use crate::system::stderr;
use crate::wait::seen::agents::{self, Holder, Turn, Waiting};

/// The number of looks within the limit. If only suspects are reported, each is reported once.
const LOOKS: u32 = 4;

/// Unless said otherwise.
const USUAL: Duration = Duration::from_secs(1);

/// How many others are named.
const NAMED: usize = 4;

/// Which processes are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Nobody,
    /// After the usual time, only processes that do harm.
    Suspects,
    /// All processes that run for this long.
    All(Duration),
}

impl Wish {
    fn now() -> Self {
        static FROM_OUTSIDE: OnceLock<Wish> = OnceLock::new();
        match busy_limit() {
            None => *FROM_OUTSIDE.get_or_init(|| {
                let usual = if cfg!(debug_assertions) { Self::All(USUAL) } else { Self::Suspects };
                Self::from_outside(std::env::var("CSP_BUSY").ok().as_deref()).unwrap_or(usual)
            }),
            Some(limit) => Self::after(limit),
        }
    }

    fn after(milliseconds: u64) -> Self {
        match milliseconds {
            0 => Self::Nobody,
            limit => Self::All(Duration::from_millis(limit)),
        }
    }

    fn from_outside(text: Option<&str>) -> Option<Self> {
        match text?.trim() {
            "off" => Some(Self::Nobody),
            "suspects" => Some(Self::Suspects),
            limit => limit.parse().ok().map(Self::after),
        }
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Self::Nobody => None,
            Self::Suspects => Some(USUAL),
            Self::All(limit) => Some(limit),
        }
    }

    fn between_looks(self) -> Option<Duration> {
        match self {
            Self::Nobody => None,
            Self::Suspects => Some(USUAL),
            Self::All(limit) => Some(limit / LOOKS),
        }
    }
}

/// A process that has had the turn for too long.
#[derive(Debug)]
struct Hog {
    path: String,
    long: Duration,
    place: Option<&'static Location<'static>>,
    sleeps: bool,
    ready: Waiting,
    others: Waiting,
}

impl Hog {
    /// Returns a hog, if the wish covers it. For suspects, that is only if it does harm.
    fn of(holder: &dyn Holder, long: Duration, wish: Wish) -> Option<Self> {
        let ready = holder.ready(NAMED);
        // A thread may wait for anything, so it is reported only if others could run meanwhile. The system is not asked about others.
        if holder.is_thread() && ready.is_empty() {
            return None;
        }
        let sleeps = holder.sleeps();
        let is_told_of = match (holder.is_thread(), wish) {
            (true, _) => sleeps,
            (false, Wish::Suspects) => sleeps || !ready.is_empty(),
            (false, _) => true,
        };
        is_told_of.then(|| {
            let (path, place, others) = (holder.path(), holder.place(), holder.others(NAMED));
            Self { path, long, place, sleeps, ready, others }
        })
    }
}

impl fmt::Display for Hog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, long, place, sleeps, ready, others } = self;
        // The process, and where it waited last.
        let does = if *sleeps {
            "has slept outside of this library, until another thread wakes it,"
        } else {
            "has run"
        };
        writeln!(
            f,
            "csp: `{path}` {does} for {long:.1?} without communicating; the other coroutines of its thread wait meanwhile."
        )?;
        if let Some(place) = place {
            writeln!(f, "It waited last at {place}.")?;
        }
        // The processes that it keeps from running.
        if !ready.is_empty() {
            writeln!(f, "Ready meanwhile: {ready}.")?;
        }
        if *sleeps {
            if !others.is_empty() {
                writeln!(f, "Of its thread are also: {others}.")?;
            }
            writeln!(
                f,
                "If one of them holds what it sleeps for, such as a lock, none of them ever goes on: see `csp::guide::held`."
            )?;
        }
        // The remedy.
        writeln!(
            f,
            "CPU work belongs into `csp::compute`, a blocking call into `csp::io`; or put the process on a thread (`on = thread`).\n\
             (Said once for each process function; CSP_BUSY sets the time in milliseconds, `off` turns it off.)"
        )
    }
}

/// The turns that the looks have seen in the schedulers.
#[derive(Default)]
pub(crate) struct Busy {
    next: Option<Instant>,
    /// By address of the scheduler: the turn seen last, and when it was seen first.
    seen: HashMap<usize, (Turn, Instant)>,
    told: HashSet<String>,
    outside: Outside,
    calm: Calm,
}

/// The looks while no other thread has run.
#[derive(Default)]
struct Calm {
    since: Option<Instant>,
    /// The first two looks, and the last one.
    looks: [Option<Instant>; 3],
}

impl Calm {
    /// Returns whether all that a look can find has been found. If it says no, the caller looks.
    fn is_over(&mut self, now: Instant, since: Instant, limit: Duration) -> bool {
        if self.since != Some(since) {
            *self = Self { since: Some(since), looks: [None; 3] };
        }
        // The first look may find that somebody was woken, and the second is the first to see who sleeps.
        let [first, second, last] = &mut self.looks;
        if second.zip(*last).is_some_and(|(second, last)| last - second >= limit) {
            return true;
        }
        if first.is_some() {
            second.get_or_insert(now);
        }
        first.get_or_insert(now);
        *last = Some(now);
        false
    }
}

impl Busy {
    /// Returns when it wants to look next.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        let next = Instant::now() + Wish::now().between_looks()?;
        // The limit may have become shorter.
        self.next = Some(self.next.map_or(next, |before| before.min(next)));
        self.next
    }

    /// Looks, if it is time. `still`: since when no other thread has run.
    pub(crate) fn look(&mut self, now: Instant, still: Instant) {
        let wish = Wish::now();
        let Some(limit) = wish.limit() else { return };
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = None;
        if self.calm.is_over(now, still, limit) {
            return;
        }
        let mut hogs = Vec::new();
        self.see(now, wish, agents::turns, |hog| hogs.push(hog));
        hogs.iter().for_each(|hog| stderr::say(hog.to_string()));
        self.outside.look(now, limit);
    }

    /// Sees the turns that are under way.
    fn see(
        &mut self,
        now: Instant,
        wish: Wish,
        turns: impl FnOnce(&mut dyn FnMut(usize, Turn, &dyn Holder)),
        mut tell: impl FnMut(Hog),
    ) {
        let Some(limit) = wish.limit() else { return };
        let before = std::mem::take(&mut self.seen);
        turns(&mut |scheduler, turn, holder| {
            let known = before.get(&scheduler).filter(|(seen, _)| *seen == turn);
            let since = known.map_or(now, |(_, since)| *since);
            if now - since >= limit
                && !self.told.contains(&function(&holder.path()))
                && let Some(hog) = Hog::of(holder, now - since, wish)
            {
                self.told.insert(function(&hog.path));
                tell(hog);
            }
            self.seen.insert(scheduler, (turn, since));
        });
    }
}

/// Returns the path without the numbers of replicas.
fn function(path: &str) -> String {
    let steps = path.split('/').map(|step| step.split('[').next().unwrap_or(step));
    steps.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::id::Who;

    #[test]
    fn replicas_are_one_function() {
        assert_eq!(function("main/farm[3]/worker[10]"), "main/farm/worker");
        assert_eq!(function("main"), "main");
    }

    /// A holder that shows what a test says.
    #[derive(Default)]
    struct Told {
        path: String,
        is_thread: bool,
        sleeps: bool,
        ready: Waiting,
    }

    impl Holder for Told {
        fn path(&self) -> String {
            self.path.clone()
        }

        fn is_thread(&self) -> bool {
            self.is_thread
        }

        fn place(&self) -> Option<&'static Location<'static>> {
            None
        }

        fn thread(&self) -> u32 {
            0
        }

        fn sleeps(&self) -> bool {
            self.sleeps
        }

        fn ready(&self, _: usize) -> Waiting {
            self.ready.clone()
        }

        fn others(&self, _: usize) -> Waiting {
            Waiting { paths: vec!["main/holds".into()], more: false }
        }
    }

    #[test]
    fn who_stays_in_one_turn_is_named_once_and_who_comes_again_never() {
        let (mut busy, begin) = (Busy::default(), Instant::now());
        let mut told = Vec::new();
        // There are two schedulers. On the first, two replicas compute, one for ten times the limit and then the
        // other. On the second a process communicates.
        for time in 0..20_u32 {
            let computes =
                (1, Turn { who: Who { job: 7, index: time as usize / 10 }, number: time / 10 });
            let talks = (2, Turn { who: Who { job: 8, index: 0 }, number: time });
            let turns = |tell: &mut dyn FnMut(usize, Turn, &dyn Holder)| {
                let path = format!("main/computes[{}]", time / 10);
                tell(computes.0, computes.1, &Told { path, ..Told::default() });
                tell(talks.0, talks.1, &Told { path: "main/talks".into(), ..Told::default() });
            };
            let second = Duration::from_secs(1);
            busy.see(begin + time * second, Wish::All(3 * second), turns, |hog| {
                told.push((hog.path, hog.long));
            });
        }
        assert_eq!(told, [("main/computes[0]".to_owned(), Duration::from_secs(3))]);
    }

    #[test]
    fn a_suspect_sleeps_or_keeps_somebody_from_running() {
        let some = Waiting { paths: vec!["main/ready".into()], more: true };
        let all = Wish::All(USUAL);
        for (is_thread, sleeps, ready, wish, named) in [
            (false, false, Waiting::default(), all, true),
            (false, false, Waiting::default(), Wish::Suspects, false),
            (false, true, Waiting::default(), Wish::Suspects, true),
            (false, false, some.clone(), Wish::Suspects, true),
            (true, true, Waiting::default(), all, false),
            (true, false, some.clone(), all, false),
            (true, true, some, Wish::Suspects, true),
        ] {
            let told = Told { path: "main/runs".into(), is_thread, sleeps, ready };
            let hog = Hog::of(&told, USUAL, wish);
            assert_eq!(hog.is_some(), named, "{hog:?}, {wish:?}");
            let text = hog.map(|hog| hog.to_string()).unwrap_or_default();
            assert_eq!(text.contains("main/holds"), named && sleeps, "{text}");
            assert_eq!(text.contains("main/ready and others"), named && !told.ready.is_empty());
        }
    }

    #[test]
    fn what_is_wished_from_outside_is_a_time_or_a_word() {
        for (text, wish) in [
            (Some("off"), Some(Wish::Nobody)),
            (Some("0"), Some(Wish::Nobody)),
            (Some(" suspects "), Some(Wish::Suspects)),
            (Some("250"), Some(Wish::All(Duration::from_millis(250)))),
            (Some("soon"), None),
            (None, None),
        ] {
            assert_eq!(Wish::from_outside(text), wish, "{text:?}");
        }
    }
}
