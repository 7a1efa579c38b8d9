//! Whether anybody in any OS process of a network can go on: asked by the one above all others when nobody there is awake.
//!
//! It asks in two waves. Who is asked and has nobody awake tells how often somebody was woken, and how many messages were sent and
//! handled (Mattern's four counters, "Algorithms for distributed termination detection", 1987). If both waves bring the same,
//! and as many messages were handled as sent, all are dead:
//!
//! Let T be the moment between the waves. Each OS process was looked at before T and after it, and in between nobody there was
//! woken and no message was sent or handled, for either would show in the second answer. So at T all were asleep; and what had been sent
//! by then was handled by then, for the counts are those of T. Who sleeps is woken by his own OS process, which sleeps, or
//! by a message, of which none was on its way. So nobody is ever woken again.
//!
//! This finds what all are in. A deadlock of some, in several OS processes, while others go on, it does not find.

#[cfg(all(test, target_os = "linux", not(loom)))]
mod model;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::backend::others::{Asked, Count, Shown};
use crate::backend::{self, waves};
use crate::quiet::{self, Moment};
use crate::report::text::Style;
use crate::report::{Deadlock, ProcessState, State};
use crate::survey::{Both, Glance, Numbers};
use crate::termination::{Cause, Poison};
use crate::verdict::Evidence;

/// How long others may take to answer: an OS process that is stopped never does.
const LIMIT: Duration = Duration::from_secs(1);

/// For messages that were on their way.
const AGAIN: u32 = 3;

/// Nobody here is awake, and nobody is above. `hopeless`: what was found dead, and could not be helped.
pub(super) fn look(hopeless: &mut Option<u64>) {
    for _ in 0..AGAIN {
        let Some(first) = count(LIMIT) else { return };
        let Some(second) = count(LIMIT) else { return };
        if are_dead(first, second) {
            if first.awaited && *hopeless != Some(first.stamp) {
                *hopeless = Some(first.stamp);
                conclude();
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What two waves brought, of which the second began when the first was over.
fn are_dead(first: Count, second: Count) -> bool {
    first == second && first.said == first.heard
}

/// The OS process above has asked something.
pub(super) fn answer(asked: Asked) {
    match asked {
        Asked::Count(number, limit) => waves::counted(number, count(limit)),
        Asked::Show(number, limit) => {
            let (processes, remedy) = show();
            let mut below = show_below(remedy, limit);
            below.blocked.splice(..0, processes.iter().map(told));
            waves::shown(number, below);
        }
        Asked::End { joins, poison } => end(joins, &poison),
    }
}

/// What it is like here and below; None: somebody is awake, or may be woken otherwise.
fn count(limit: Duration) -> Option<Count> {
    let moment = Moment::now();
    if !moment.is_quiet() || quiet::has_strangers() {
        return None;
    }
    let below = waves::count(limit)?;
    let all = backend::survey(Glance::default());
    let (node, said, heard) = waves::tally()?;
    // In between nobody was: so not when the messages were counted either.
    if !all.all_are_blocked() || Moment::now() != moment {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (node, moment, said, heard).hash(&mut hasher);
    Some(below.with(Count { stamp: hasher.finish(), said, heard, awaited: all.matters() }))
}

/// All are dead.
fn conclude() {
    let (processes, remedy) = show();
    let below = show_below(remedy, LIMIT);
    let deadlock = Deadlock::everywhere(processes, below.blocked);
    deadlock.shout();
    match below.remedy {
        Some(joins) => end(joins, &Poison::new(Cause::Deadlock(deadlock))),
        // Nobody can be turned away, and nobody will ever do anything.
        None => std::process::exit(101),
    }
}

/// Joins are broken off only where there is nothing else.
fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    }
}

/// Who waits here, and what would help them.
fn show() -> (Vec<ProcessState>, Option<bool>) {
    let both = backend::survey(Both::default());
    let remedy = super::remedy(&both.numbers.evidence, &contexts(&both.numbers.evidence));
    let mut processes = both.words.finish().processes;
    processes.retain(|process| matches!(process.state, State::Blocked(_)));
    (processes, remedy)
}

/// Who waits below, and what would help them and those here.
fn show_below(remedy: Option<bool>, limit: Duration) -> Shown {
    let mut all = Shown { blocked: Vec::new(), remedy };
    for below in waves::show(limit).into_iter().flatten() {
        all.blocked.extend(below.blocked);
        all.remedy = either(all.remedy, below.remedy);
    }
    all
}

/// Its path, and what there is to say.
fn told(process: &ProcessState) -> (String, String) {
    let mut text = String::new();
    let _ = process.write(&mut text, 2, Style::PLAIN);
    (process.path.clone(), text)
}

fn contexts(evidence: &Evidence) -> HashSet<usize> {
    evidence.processes.iter().map(|process| process.context).collect()
}

/// Ends the waits of all, here and below.
fn end(joins: bool, poison: &Poison) {
    waves::end(joins, poison);
    let evidence = backend::survey(Numbers::default()).evidence;
    let agents = evidence.processes.iter().map(|process| process.agent).collect();
    if let Some(frozen) = backend::freeze(&agents) {
        frozen.break_off(&Arc::new(contexts(&evidence)), joins, poison);
    }
}
