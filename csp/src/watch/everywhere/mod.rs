//! Floor 3. Whether anybody in any OS process of a network can go on: asked by the one above all others when nobody there is awake.
//!
//! It asks in two waves. An OS process that is asked while nobody in it is awake answers with three counts: wake-ups, messages
//! sent, and messages handled. These are Mattern's four counters ("Algorithms for distributed termination detection", 1987).
//! If both waves bring the same counts, and as many messages were handled as sent, all are dead:
//!
//! Let T be the moment between the waves. Each OS process was looked at before T and after it. In between nobody there was woken, and no
//! message was sent or handled, because the second answer would show either. So at T all were asleep. All messages sent by T were
//! handled by T, because the counts are those of T. A sleeper is woken by its own OS process, which sleeps, or by a message, and none
//! was on its way. So nobody is ever woken again.
//!
//! This finds what all are in. A deadlock of some, in several OS processes, while others go on, it does not find.

mod joined;
#[cfg(all(test, target_os = "linux", not(loom)))]
mod model;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::survey::{Both, Glance, Numbers};
use super::verdict::Evidence;
use crate::report::termination::{Cause, Poison};
use crate::report::text::Style;
use crate::report::{Deadlock, ProcessState, State};
use crate::system::quiet::Moment;
use crate::system::stderr;
use crate::wait::seen::agents;
use crate::wait::seen::others::{self, Asked, Count, Shown};

/// How long others may take to answer: an OS process that is stopped never does.
const LIMIT: Duration = Duration::from_secs(1);

/// For messages that were on their way.
const AGAIN: u32 = 3;

/// Looks at all OS processes. It is called when nobody here is awake, and no OS process is above.
/// `hopeless` is the state that was found dead and could not be helped.
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

/// Returns whether the counts of two waves show that all are dead. The second wave began after the
/// first was over.
fn are_dead(first: Count, second: Count) -> bool {
    first == second && first.said == first.heard
}

/// Answers a question of the OS process above.
pub(super) fn answer(asked: Asked) {
    let Some(waves) = others::waves() else { return };
    match asked {
        Asked::Count(number, limit) => waves.counted(number, count(limit)),
        Asked::Show(number, limit) => {
            let (processes, remedy) = show();
            let mut below = show_below(remedy, limit);
            below.blocked.splice(..0, processes.iter().map(told));
            waves.shown(number, below);
        }
        Asked::End { joins, poison } => end(joins, &poison),
    }
}

/// Counts this OS process and all below it. Returns `None` if somebody is awake or may be woken
/// otherwise.
fn count(limit: Duration) -> Option<Count> {
    let moment = Moment::now();
    if !super::is_quiet(moment) {
        return None;
    }
    let below = others::waves()?.count(limit)?;
    let all = agents::survey(Glance::default());
    let (node, said, heard) = others::waves()?.tally()?;
    // In between nobody was: so not when the messages were counted either.
    if !all.all_are_blocked() || Moment::now() != moment {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (node, moment, said, heard).hash(&mut hasher);
    Some(below.with(Count { stamp: hasher.finish(), said, heard, awaited: all.matters() }))
}

/// Ends the waits of all, because all are dead, and reports it.
fn conclude() {
    let (processes, remedy) = show();
    let below = show_below(remedy, LIMIT);
    let deadlock = Deadlock::everywhere(processes, below.blocked);
    let announced = stderr::announce();
    if let Some(joins) = below.remedy {
        end(joins, &Poison::new(Cause::Deadlock(deadlock.clone())));
    }
    announced.say(deadlock.aloud());
    if below.remedy.is_none() {
        // Nobody can be turned away, and nobody will ever do anything.
        std::process::exit(101);
    }
}

/// Returns what helps both. Joins are broken off only if there is nothing else.
fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    }
}

/// Returns the processes that wait here, and what would help them.
fn show() -> (Vec<ProcessState>, Option<bool>) {
    let both = agents::survey(Both::default());
    let remedy = super::remedy(&both.numbers.evidence, &contexts(&both.numbers.evidence));
    let mut processes = both.words.finish().processes;
    processes.retain(|process| matches!(process.state, State::Blocked(_)));
    (processes, remedy)
}

/// Returns the processes that wait below, and what would help them and those here.
fn show_below(remedy: Option<bool>, limit: Duration) -> Shown {
    let mut all = Shown { blocked: Vec::new(), remedy };
    for below in others::waves().and_then(|waves| waves.show(limit)).into_iter().flatten() {
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
    others::waves().into_iter().for_each(|waves| waves.end(joins, poison));
    let evidence = agents::survey(Numbers::default()).evidence;
    let agents = evidence.processes.iter().map(|process| process.agent).collect();
    if let Some(frozen) = agents::freeze(&agents) {
        let wakes = frozen.break_off(&Arc::new(contexts(&evidence)), joins, poison);
        drop(frozen);
        super::wake_elsewhere(wakes);
    }
}
