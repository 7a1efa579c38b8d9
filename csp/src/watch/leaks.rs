//! Finds what a program or a test leaves behind. Such things are processes still alive at its end, values that were not read,
//! and ends that were not used.
//!
//! None of this slows a communication down. Unread values are met when a channel retires with something in its buffer.
//! The operations of an end must note its use, so that is known in builds with debug assertions only.
//!
//! A *scope* is a test with `#[csp::test]`, because many tests may run at once. Otherwise the scope is the program, number 0. A
//! process belongs to its parent's scope, a channel to the scope of the process that created it. Processes started by a plain
//! thread have no scope, but they count if they wait at a channel of this scope.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::registry;
use super::usage::{LOST, Origin, lock};
use super::words::Words;
use crate::report::text::{Style, paragraph};
use crate::report::{ProcessState, State, Wanted};
use crate::wait::park;
use crate::wait::seen::agents;

#[cfg(debug_assertions)]
use super::usage::sites;
#[cfg(debug_assertions)]
use crate::wait::blocked::Side;

/// The processes, values and ends that a scope left behind.
#[derive(Default)]
pub(crate) struct Leaks {
    processes: Vec<ProcessState>,
    /// In words.
    channels: Vec<String>,
}

impl Leaks {
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.channels.is_empty()
    }
}

/// Returns what this scope has left behind. The last process of the scope calls this.
pub(crate) fn left(scope: u32) -> Leaks {
    let mut leaks = Leaks { processes: alive(scope), channels: Vec::new() };
    let mut lost = Vec::new();
    // Values lost with channels that have retired.
    lock(&LOST).retain(|origin, found| {
        let mine = origin.scope == scope;
        if mine {
            let kind = std::mem::take(&mut found.kind);
            lost.push((origin.clone(), kind, found.values));
        }
        !mine
    });
    // Values in channels that are still there.
    registry::each(|channel, of| {
        let values = channel.fill().map_or(0, |fill| fill.values);
        if of == scope && values > 0 {
            let origin = Origin { scope, birth: channel.birth(), name: channel.name() };
            lost.push((origin, channel.kind(), values));
        }
    });
    // Both kinds, in words.
    for (origin, kind, values) in lost {
        let what = if values == 1 { "value that was" } else { "values that were" };
        leaks.channels.push(format!("{}: {values} {what} never read", origin.of(&kind)));
    }
    // Ends that no operation has used.
    #[cfg(debug_assertions)]
    sites::unused(scope, |origin, kind, side, place| {
        let what = if side == Side::Reader { "reader" } else { "writer" };
        leaks.channels.push(format!("{}: its {what} of {place} was never used", origin.of(kind)));
    });
    leaks
}

impl Origin {
    fn of(&self, kind: &str) -> String {
        match &self.name {
            Some(name) => format!("`{name}`, {kind} of {}", self.birth),
            None => format!("{kind} of {}", self.birth),
        }
    }
}

/// Returns the addresses of its channels.
fn channels(scope: u32) -> HashSet<usize> {
    let mut channels = HashSet::new();
    registry::each(|channel, of| {
        if of == scope {
            channels.insert(channel.address());
        }
    });
    channels
}

/// Returns the processes that are alive, except daemons and the processes that daemons have
/// started.
fn alive(scope: u32) -> Vec<ProcessState> {
    let me = park::current().who();
    let mut pause = Duration::from_micros(100);
    loop {
        let mut words = Words::default();
        words.only(scope);
        let mut processes = agents::survey(words).finish().processes;
        let channels = channels(scope);
        let waits_here = |process: &ProcessState| {
            process.wants().iter().filter_map(Wanted::address).any(|at| channels.contains(&at))
        };
        processes.retain(|process| {
            process.who != Some(me) && (process.scope == scope || waits_here(process))
        });
        let blocked = |process: &ProcessState| matches!(process.state, State::Blocked(_));
        // One that has just ended is seen for a moment yet.
        if processes.iter().all(blocked) || pause > Duration::from_millis(100) {
            return processes;
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.processes.is_empty() {
            writeln!(f, "  still alive:")?;
        }
        self.processes.iter().try_for_each(|process| process.write(f, 4, Style::PLAIN))?;
        self.channels.iter().try_for_each(|text| paragraph(f, 2, text, 0, Style::PLAIN))
    }
}
