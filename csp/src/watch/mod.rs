//! Floor 3. The watch: a thread of the library's own that finds out when processes wait for one another for ever.
//!
//! The thread is told when no thread is awake any more (see `quiet`). It also looks by itself now and then while others
//! go on, and less often the longer nothing has changed. A look has two rounds:
//!
//! 1. The watch looks at all processes, one after another, and judges them. The first judgement is by kinds, which takes little
//!    room (see `kinds`). If some processes look dead, a second one judges each process. Nearly always no process is dead, and
//!    the look ends here.
//! 2. The watch stops the threads and schedulers of the processes that seem dead, all at once. It looks at their processes
//!    again and judges by that alone. Then it makes sure that none of them has been woken meanwhile.
//!
//! The second verdict is right for this reason. Suppose that a process outside the dead set served a member of it, at a moment
//! before the last check. That process held an end of the channel at that moment. It still held the end after it had sent the
//! wake-up, because it was in the operation. Afterwards all ends were seen with the dead, so the wake-up had been sent by
//! then. The last check would have found it.
//!
//! If nobody is awake, the system knows no other threads and no process waits for a signal, all are dead, no matter which process
//! holds which end. With other OS processes, this holds if it is so in all of them ([`everywhere`]).

mod busy;
pub(super) mod census;
mod everywhere;
mod kinds;
pub(super) mod leaks;
mod outside;
pub(super) mod registry;
mod survey;
pub(super) mod usage;
mod verdict;
pub(super) mod words;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::busy::Busy;
use self::survey::{Both, Glance, Numbers};
use self::verdict::{Evidence, Known};
use crate::report::id::Who;
use crate::report::termination::{Cause, Poison};
use crate::report::{Deadlock, Link, ProcessState, Thing};
use crate::system::helper::Helper;
use crate::system::quiet::{self, Moment};
use crate::system::stillness::Stillness;
use crate::system::{forked, stderr};
use crate::wait::blocked::Operation;
use crate::wait::future::wakes::Wakes;
use crate::wait::seen::agents;
use crate::wait::seen::others::{self, Others};
use crate::wait::thread::{pool, relief};

/// How long the watch waits between two looks, unless `CSP_WATCH` says otherwise. The interval grows by this much
/// when nothing changes.
const PERIOD: Duration = Duration::from_millis(250);
const LONGEST: u32 = 16;

/// The longest interval that may be asked for. Longer times could not be added up.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it waits, when nobody is awake, to see whether that lasts: a part of the period.
const GRACE: u32 = 50;

/// The watch spends at most one part in this many of its time looking, unless that would leave it blind for longer than
/// [`BLIND`]. Then one part in [`LARGER_SHARE`] has to do.
const SHARE: u32 = 100;
const BLIND: Duration = Duration::from_secs(10);
const LARGER_SHARE: u32 = 10;

/// Starts the watch, unless it has been started.
pub(crate) fn start() {
    if cfg!(not(loom)) && !THREAD.runs() && !OFF.load(Ordering::Relaxed) {
        start_thread();
    }
}

static THREAD: Helper = Helper::new("csp watch", 256 << 10);
/// Nobody wants it.
static OFF: AtomicBool = AtomicBool::new(false);

#[cold]
fn start_thread() {
    let Some(period) = period(std::env::var("CSP_WATCH").ok().as_deref()) else {
        return OFF.store(true, Ordering::Relaxed);
    };
    // A copy made by `fork` has no part in a network of OS processes.
    if forked::is_copy() && !matches!(others::others(), Others::None) {
        return;
    }
    let started = THREAD.need(move || {
        let (busy, stillness) = (Busy::default(), Stillness::default());
        Watch { period, seen: 0, hopeless: None, all_hopeless: None, busy, stillness }.run()
    });
    static TOLD: AtomicBool = AtomicBool::new(false);
    // Nothing but reports is missing, and the next start tries again.
    if let Err(error) = started
        && !TOLD.swap(true, Ordering::Relaxed)
    {
        stderr::say(format!(
            "csp: no thread could be had to look for deadlocks ({error}): until one can be had, none is found\n"
        ));
    }
}

/// Returns what `CSP_WATCH` asks for: `off`, or milliseconds.
fn period(wish: Option<&str>) -> Option<Duration> {
    match wish.map(str::trim) {
        Some("off") => None,
        wish => {
            let wish = wish.and_then(|wish| wish.parse::<f64>().ok()).filter(|wish| *wish > 0.0);
            let wish = wish.and_then(|wish| Duration::try_from_secs_f64(wish / 1000.0).ok());
            Some(wish.unwrap_or(PERIOD).min(DAY))
        }
    }
}

/// Returns how long the watch rests after a look that took this long.
fn rest(took: Duration) -> Duration {
    // A look takes long where there are very many processes, and also where the machine has let it wait.
    took.saturating_mul(SHARE).min(BLIND).max(took.saturating_mul(LARGER_SHARE))
}

/// The result of a look.
#[derive(Default)]
struct Look {
    /// Anything has changed.
    changed: bool,
    /// The time that was no work.
    slept: Duration,
}

struct Watch {
    period: Duration,
    /// The last state that the watch saw, in one number.
    seen: u64,
    /// The state of the dead that could not be helped.
    hopeless: Option<u64>,
    /// The same of all OS processes.
    all_hopeless: Option<u64>,
    busy: Busy,
    stillness: Stillness,
}

impl Watch {
    fn run(mut self) -> ! {
        quiet::ignore_this_thread();
        quiet::watch();
        let mut period = self.period;
        let mut next = Instant::now() + period;
        // Before anybody could tell it.
        self.look_if_quiet();
        loop {
            let wake = self.busy.next().map_or(next, |busy| busy.min(next));
            std::thread::park_timeout(wake.saturating_duration_since(Instant::now()));
            while let Some(asked) = others::waves().and_then(others::Waves::asked) {
                everywhere::answer(asked);
            }
            if quiet::was_alerted() {
                self.look_if_quiet();
            }
            let now = Instant::now();
            let still = self.stillness.since(now);
            self.busy.look(now, still);
            if now >= next {
                let look = match self.would_look_in_vain(now) {
                    true => Look::default(),
                    false => self.look_at_all(),
                };
                period = match look.changed {
                    true => self.period,
                    false => (2 * period).min(LONGEST * self.period),
                };
                let took = now.elapsed().saturating_sub(look.slept);
                let rest = if self.period < PERIOD { took } else { rest(took) };
                next = Instant::now() + period.max(rest);
            }
        }
    }

    /// Looks because nobody was awake.
    fn look_if_quiet(&mut self) {
        let moment = Moment::now();
        let mut pause = self.period / GRACE;
        // A thread that is just ending is soon gone.
        for _ in 0..4 {
            std::thread::sleep(pause);
            if !moment.counts(relief::computing()) || Moment::now() != moment {
                return;
            }
            if !quiet::may_be_woken() {
                match others::others() {
                    Others::None => {
                        // Threads have run, because somebody was awake before.
                        self.stillness.since(Instant::now());
                        self.look_at_all();
                    }
                    Others::Below => everywhere::look(&mut self.all_hopeless),
                    Others::Above => {
                        others::waves().into_iter().for_each(others::Waves::tell_quiet)
                    }
                }
                return;
            }
            pause *= 2;
        }
    }

    /// Returns whether nothing has changed, because no thread has run. Other OS processes are another matter.
    fn would_look_in_vain(&self, now: Instant) -> bool {
        matches!(others::others(), Others::None) && self.stillness.makes_look_vain(now)
    }

    fn look_at_all(&mut self) -> Look {
        let moment = Moment::now();
        let mut quiet = is_quiet(moment);
        match others::others() {
            Others::None => {}
            Others::Below if quiet => {
                everywhere::look(&mut self.all_hopeless);
                quiet = false;
            }
            Others::Below | Others::Above => quiet = false,
        }
        let mut glance = agents::survey(Glance::default());
        let seen = glance.fingerprint();
        let changed = std::mem::replace(&mut self.seen, seen) != seen;
        let is_quiet = |unstarted: bool| quiet && !unstarted && Moment::now() == moment;
        let finds_dead = glance.finds_dead(is_quiet(glance.unstarted));
        if finds_dead {
            drop(glance);
            let all = agents::survey(Numbers::default());
            self.judge(&all.evidence, is_quiet(all.unstarted).then_some(moment));
        }
        Look { changed, slept: self.stillness.looked(!finds_dead, self.period) }
    }

    /// Judges the evidence. `quiet` is given if nobody is awake and there are no strangers.
    fn judge(&mut self, evidence: &Evidence, quiet: Option<Moment>) {
        // The first verdict. Suspects that could not be helped the last time are left alone.
        let suspects: HashSet<usize> = suspects(evidence, quiet.is_some()).collect();
        let known = evidence.processes.iter();
        let of_suspects = known.filter(|process| suspects.contains(&process.context));
        let as_they_are = fingerprint(of_suspects.clone());
        if suspects.is_empty() || self.hopeless == Some(as_they_are) {
            return;
        }
        let agents = of_suspects.map(|process| process.agent).collect();
        // The others, in words. Processes that stand still are looked at again.
        let others = agents::survey(Both::default());
        // Second round: the suspects are judged again while they stand still.
        let Some(frozen) = agents::freeze(&agents) else { return };
        let mut both = frozen.show(Both::default());
        both.numbers.evidence.processes.retain(|process| suspects.contains(&process.context));
        let evidence = &both.numbers.evidence;
        let dead: Arc<HashSet<usize>> = Arc::new(match quiet {
            Some(_) if evidence.processes.len() < suspects.len() => HashSet::new(),
            quiet => self::suspects(evidence, quiet.is_some()).collect(),
        });
        // None of the dead may have been woken meanwhile.
        if dead.is_empty() || !frozen.are_still_blocked(&dead) {
            return;
        }
        if quiet.is_some_and(|moment| Moment::now() != moment) {
            return;
        }
        // The verdict stands: the report, and then the end of the waits.
        let remedy = remedy(evidence, &dead);
        let deadlock = report(both, &dead, others);
        // The report is written last, so a thread that holds standard error cannot delay the
        // wake-ups.
        let announced = stderr::announce();
        let wakes = remedy.map(|joins| {
            let poison = Poison::new(Cause::Deadlock(deadlock.clone()));
            frozen.break_off(&dead, joins, &poison)
        });
        drop(frozen);
        announced.say(deadlock.aloud());
        wakes.into_iter().for_each(wake_elsewhere);
        if remedy.is_none() && quiet.is_some() {
            // Nobody can be turned away, and nobody will ever do anything.
            std::process::exit(101);
        }
        if remedy.is_none() {
            self.hopeless = Some(as_they_are);
        }
    }
}

/// Wakers are the user's, and may take as long as they like: another thread wakes them.
fn wake_elsewhere(wakes: Wakes) {
    if !wakes.is_empty() {
        // Without a thread they are woken here, when the job is dropped.
        let _ = pool::run(Box::new(move || drop(wakes)));
    }
}

/// Returns whether nobody is awake and there are no strangers. A thread that computes is counted as awake until its
/// computation has ended. So threads that wait inside a computation are subtracted, and then it is made sure that no
/// thread computes.
fn is_quiet(moment: Moment) -> bool {
    moment.counts(relief::computing()) && !quiet::may_be_woken() && relief::workers_rest()
}

/// Returns the contexts of the dead.
fn suspects(evidence: &Evidence, quiet: bool) -> impl Iterator<Item = usize> {
    let dead = if quiet { evidence.all_blocked() } else { evidence.dead() };
    dead.into_iter().map(|number| evidence.processes[number].context)
}

/// Returns whether joins have to be broken off because there is nothing else to break off. Returns
/// `None` if there are no joins either.
fn remedy(evidence: &Evidence, dead: &HashSet<usize>) -> Option<bool> {
    let dead = evidence.processes.iter().filter(|process| dead.contains(&process.context));
    let operations: Vec<_> = dead.flat_map(|process| process.waits.iter().flatten()).collect();
    let some = |joins| operations.iter().any(|(operation, _)| operation.can_be_broken_off(joins));
    [false, true].into_iter().find(|&joins| some(joins))
}

/// Returns a number that stays the same as long as nothing changes.
fn fingerprint<'a>(processes: impl Iterator<Item = &'a Known>) -> u64 {
    let mut all = 0;
    for process in processes {
        let mut hasher = DefaultHasher::new();
        (process.who, process.context, &process.waits).hash(&mut hasher);
        all ^= hasher.finish();
    }
    all
}

fn report(both: Both, dead: &HashSet<usize>, others: Both) -> Deadlock {
    let evidence = &both.numbers.evidence;
    let of_dead = evidence.processes.iter().filter(|process| dead.contains(&process.context));
    let who: HashSet<Who> = of_dead.map(|process| process.who).collect();
    let is_dead = |process: &ProcessState| process.who.is_some_and(|of| who.contains(&of));
    let mut network = both.words.finish();
    network.processes.retain(is_dead);
    let mut others = others.words.finish();
    others.processes.retain(|process| !is_dead(process));
    let link = |(who, at)| {
        let process = network.processes.iter().find(|process| process.who == Some(who));
        let process = process.expect("what is in the evidence was seen");
        let want = process.wants().iter().find(|want| want.address() == Some(at));
        let at = match want.map(|want| (want.operation, &want.object)) {
            Some((Operation::Join | Operation::JoinAll, _)) | None => "join".to_owned(),
            Some((_, object)) => object.as_ref().map_or_else(String::new, Thing::short),
        };
        Link { path: process.path.clone(), at }
    };
    // Paths order the starts, because addresses differ from run to run.
    let order: Vec<Who> = network.processes.iter().filter_map(|process| process.who).collect();
    let cycle = evidence.cycle(&order).into_iter().map(link).collect();
    Deadlock::new(network.processes, cycle, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_look_does_not_leave_the_watch_blind_for_long() {
        let rests = |took| rest(Duration::from_millis(took)).as_millis();
        assert_eq!((rests(0), rests(1), rests(100)), (0, 100, 10_000));
        assert_eq!((rests(101), rests(1_000), rests(5_000)), (10_000, 10_000, 50_000));
        assert_eq!(rest(Duration::MAX), Duration::MAX);
    }
}
