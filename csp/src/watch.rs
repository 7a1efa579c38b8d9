//! The watch: a thread of the library's own that finds out when processes wait for one another for ever.
//!
//! It is told when nobody is awake any more (see `quiet`), and looks by itself now and then while others go on; the less
//! often the longer nothing has changed. A look is in two rounds:
//!
//! 1. All processes are looked at, some after the others, and judged: first by kinds, which takes little room (see `sketch`), and
//!    if there are dead ones once more, one by one. Nearly always nobody is dead, and that is it.
//! 2. The threads and schedulers of those who seem to be are made to stand still, all at once; their processes are looked at
//!    again and judged by that alone; and then it is made sure that none of them has been woken meanwhile.
//!
//! Why the second verdict is right: let a member of the dead set be served by somebody outside, at a moment before it was made
//! sure. That one held an end of the channel at that moment, and still when he had sent the wake-up, for he was in the
//! operation. All ends were seen with the dead afterwards, so the wake-up had been sent by then; and it would have been found.
//!
//! When nobody is awake and the system knows no other threads, all are dead whoever holds what; with other OS processes, if that
//! is so in all of them ([`everywhere`]).

mod everywhere;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use crate::backend::others::Others;
use crate::backend::{self, waves};
use crate::blocked::Operation;
use crate::busy::Busy;
use crate::holders::Who;
use crate::quiet::{self, Moment};
use crate::report::{Deadlock, Link, ProcessState, Thing};
use crate::survey::{Both, Glance, Numbers};
use crate::termination::{Cause, Poison};
use crate::verdict::{Evidence, Known};

/// How long it waits between two looks, unless `CSP_WATCH` says otherwise; and how much longer when nothing changes.
const PERIOD: Duration = Duration::from_millis(250);
const LONGEST: u32 = 16;

/// The longest that may be asked for; longer ones are no times that can be added up.
const DAY: Duration = Duration::from_hours(24);

/// How long it waits, when nobody is awake, to see whether that lasts: a part of the period.
const GRACE: u32 = 50;

/// Of its time, so much is spent looking at most.
const SHARE: u32 = 100;

/// From now on somebody watches.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    if cfg!(not(loom)) {
        ONCE.call_once(|| {
            let Some(period) = period(std::env::var("CSP_WATCH").ok().as_deref()) else { return };
            let thread = std::thread::Builder::new().name("csp watch".into()).stack_size(256 << 10);
            // Without it nothing but reports is missing.
            let _ = thread.spawn(move || {
                let busy = Busy::default();
                Watch { period, seen: 0, hopeless: None, all_hopeless: None, busy }.run()
            });
        });
    }
}

/// What `CSP_WATCH` asks for: `off`, or milliseconds.
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

struct Watch {
    period: Duration,
    /// What it saw last, in one number.
    seen: u64,
    /// Those that were dead and could not be helped, as they were.
    hopeless: Option<u64>,
    /// The same of all OS processes.
    all_hopeless: Option<u64>,
    busy: Busy,
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
            while let Some(asked) = waves::asked() {
                everywhere::answer(asked);
            }
            if quiet::was_alerted() {
                self.look_if_quiet();
            }
            let now = Instant::now();
            self.busy.look(now);
            if now >= next {
                let changed = self.look_at_all();
                period =
                    if changed { self.period } else { (2 * period).min(LONGEST * self.period) };
                let share = if self.period < PERIOD { 1 } else { SHARE };
                next = Instant::now() + period.max(share * now.elapsed());
            }
        }
    }

    /// Nobody was awake.
    fn look_if_quiet(&mut self) {
        let moment = Moment::now();
        let mut pause = self.period / GRACE;
        // A thread that is just ending is soon gone.
        for _ in 0..4 {
            std::thread::sleep(pause);
            if !moment.is_quiet() || Moment::now() != moment {
                return;
            }
            if !quiet::has_strangers() {
                match waves::others() {
                    Others::None => drop(self.look_at_all()),
                    Others::Below => everywhere::look(&mut self.all_hopeless),
                    Others::Above => waves::tell_quiet(),
                }
                return;
            }
            pause *= 2;
        }
    }

    /// Whether anything has changed.
    fn look_at_all(&mut self) -> bool {
        let moment = Moment::now();
        let mut quiet = moment.is_quiet() && !quiet::has_strangers();
        match waves::others() {
            Others::None => {}
            Others::Below if quiet => {
                everywhere::look(&mut self.all_hopeless);
                quiet = false;
            }
            Others::Below | Others::Above => quiet = false,
        }
        let mut glance = backend::survey(Glance::default());
        let seen = glance.fingerprint();
        let changed = std::mem::replace(&mut self.seen, seen) != seen;
        let is_quiet = |unstarted: bool| quiet && !unstarted && Moment::now() == moment;
        if glance.finds_dead(is_quiet(glance.unstarted)) {
            drop(glance);
            let all = backend::survey(Numbers::default());
            self.judge(&all.evidence, is_quiet(all.unstarted).then_some(moment));
        }
        changed
    }

    /// `quiet`: nobody is awake, and there are no strangers.
    fn judge(&mut self, evidence: &Evidence, quiet: Option<Moment>) {
        let suspects: HashSet<usize> = suspects(evidence, quiet.is_some()).collect();
        let known = evidence.processes.iter();
        let of_suspects = known.filter(|process| suspects.contains(&process.context));
        let as_they_are = fingerprint(of_suspects.clone());
        if suspects.is_empty() || self.hopeless == Some(as_they_are) {
            return;
        }
        let agents = of_suspects.map(|process| process.agent).collect();
        // The others, in words; those who stand still are looked at again.
        let others = backend::survey(Both::default());
        let Some(frozen) = backend::freeze(&agents) else { return };
        let mut both = frozen.show(Both::default());
        both.numbers.evidence.processes.retain(|process| suspects.contains(&process.context));
        let evidence = &both.numbers.evidence;
        let dead: Arc<HashSet<usize>> = Arc::new(match quiet {
            Some(_) if evidence.processes.len() < suspects.len() => HashSet::new(),
            quiet => self::suspects(evidence, quiet.is_some()).collect(),
        });
        if dead.is_empty() || !frozen.are_still_blocked(&dead) {
            return;
        }
        if quiet.is_some_and(|moment| Moment::now() != moment) {
            return;
        }
        let remedy = remedy(evidence, &dead);
        let deadlock = report(both, &dead, others);
        deadlock.shout();
        let poison = Poison::new(Cause::Deadlock(deadlock));
        match remedy {
            Some(joins) => frozen.break_off(&dead, joins, &poison),
            None if quiet.is_some() => {
                // Nobody can be turned away, and nobody will ever do anything.
                drop(frozen);
                std::process::exit(101);
            }
            None => self.hopeless = Some(as_they_are),
        }
    }
}

/// The contexts of the dead.
fn suspects(evidence: &Evidence, quiet: bool) -> impl Iterator<Item = usize> {
    let dead = if quiet { evidence.all_blocked() } else { evidence.dead() };
    dead.into_iter().map(|number| evidence.processes[number].context)
}

/// Whether joins have to be broken off, for there is nothing else; None: there are none either.
fn remedy(evidence: &Evidence, dead: &HashSet<usize>) -> Option<bool> {
    let dead = evidence.processes.iter().filter(|process| dead.contains(&process.context));
    let operations: Vec<_> = dead.flat_map(|process| process.waits.iter().flatten()).collect();
    let some = |joins| operations.iter().any(|(operation, _)| operation.can_be_broken_off(joins));
    [false, true].into_iter().find(|&joins| some(joins))
}

/// The same as long as nothing changes.
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
    let cycle = evidence.cycle(&who).into_iter().map(link).collect();
    Deadlock::new(network.processes, cycle, others)
}
