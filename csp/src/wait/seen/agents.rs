//! The threads and schedulers that run processes, as seen by threads that look at the whole
//! network.
//!
//! A backend makes each of its agents known once, with [`know`]. The watch asks agents and knows no backend. Agents are
//! never freed, only used again.

use std::collections::HashSet;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::observe::{Activity, Observer, Subject};
use crate::report::id::Who;
use crate::report::termination::Poison;
use crate::system::forked::Afresh;
use crate::system::shared;
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::Wakes;
use crate::wait::lineage::Identity;

/// One process in one turn of its scheduler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) who: Who,
    pub(crate) number: u32,
}

/// The process that has the turn of a scheduler, as seen from another thread.
pub(crate) trait Holder {
    fn path(&self) -> String;
    /// Returns whether it is the thread itself.
    fn is_thread(&self) -> bool;
    /// Returns where it waited last, if that is known.
    fn place(&self) -> Option<&'static Location<'static>>;
    /// Returns the number that the system has given its thread.
    fn thread(&self) -> u32;
    /// Its thread sleeps until another one wakes it.
    fn sleeps(&self) -> bool;
    /// Returns the processes that could run if this one did not keep the thread.
    fn ready(&self, most: usize) -> Waiting;
    /// Returns all others of the thread that have started.
    fn others(&self, most: usize) -> Waiting;
}

/// Processes, by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) paths: Vec<String>,
    /// And others, of which no more is known.
    pub(crate) more: bool,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.more
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.paths.join(", "))?;
        match (self.more, self.paths.is_empty()) {
            (true, true) => f.write_str("some that other threads have woken"),
            (true, false) => f.write_str(" and others"),
            (false, _) => Ok(()),
        }
    }
}

/// An observer on its way between threads.
pub(crate) type Lent = Box<dyn Observer + Send>;

/// A thread, or a scheduler with all its coroutines.
pub(crate) trait Agent: Sync {
    /// Returns whether a thread uses it now.
    fn is_in_use(&self) -> bool;
    fn address(&self) -> usize;
    /// Stops it for as long as the result lives. Its answers are good only if [`Stopped::is_here`].
    fn stop(&'static self) -> Box<dyn Stopped>;
    /// Shows what can be shown of one that does not stop.
    fn show_busy(&'static self, _observer: &mut dyn Observer) {}
    /// Tells which process has the turn, if that is known.
    fn turn(&'static self, _tell: &mut dyn FnMut(usize, Turn, &dyn Holder)) {}
    /// Returns path and number of a thread that is a process alone, and shows no wait.
    fn awake(&'static self) -> Option<(String, u32)> {
        None
    }
    /// Answers questions on a thread that waits to ask others: it must answer them meanwhile.
    fn answer_if_mine(&'static self) {}
}

/// An agent whose processes can't change their state.
pub(crate) trait Stopped {
    fn is_here(&self) -> bool {
        true
    }
    fn show(&self, observer: Lent);
    /// Returns how many of these processes are blocked without a deadline.
    fn still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> usize;
    /// Strangers are to be woken when the processes go on.
    fn break_off(&self, contexts: &Arc<HashSet<usize>>, joins: bool, poison: &Poison) -> Wakes;
}

static AGENTS: shared::Mutex<Vec<&'static dyn Agent>> = shared::Mutex::new(Vec::new());

/// Makes this agent known: it is looked at from now on.
pub(crate) fn know(agent: &'static dyn Agent) {
    AGENTS.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
}

fn in_use() -> Vec<&'static dyn Agent> {
    let all = AGENTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.into_iter().filter(|agent| agent.is_in_use()).collect()
}

/// Takes the right to ask. One thread asks at a time. A thread that waits for its turn to ask still
/// answers.
fn ask() -> MutexGuard<'static, ()> {
    static ASKING: Afresh<Mutex<()>> = Afresh::new();
    loop {
        match ASKING.get(|| Mutex::new(())).try_lock() {
            Ok(asking) => return asking,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                in_use().into_iter().for_each(Agent::answer_if_mine);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// The same observer for many agents, one after the other.
struct Shared<O>(Arc<Mutex<O>>);

impl<O: Observer> Shared<O> {
    fn with(&self, act: impl FnOnce(&mut O)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<O: Observer> Observer for Shared<O> {
    fn agent(&mut self, agent: usize, number: Option<usize>) {
        self.with(|observer| observer.agent(agent, number));
    }
    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>) {
        self.with(|observer| observer.process(process, activity));
    }
    fn unstarted(&mut self, first: &Identity, count: usize) {
        self.with(|observer| observer.unstarted(first, count));
    }
}

fn show_all<O: Observer + Send + 'static>(observer: O, show: impl FnOnce(&dyn Fn() -> Lent)) -> O {
    let shared = Arc::new(Mutex::new(observer));
    show(&|| Box::new(Shared(Arc::clone(&shared))));
    let shared = Arc::into_inner(shared).expect("nobody looks any more");
    shared.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Shows all processes to the observer, one after another, and gives the observer back.
pub(crate) fn survey<O: Observer + Send + 'static>(observer: O) -> O {
    let _asking = ask();
    show_all(observer, |lend| {
        for agent in in_use() {
            let stopped = agent.stop();
            if stopped.is_here() {
                stopped.show(lend());
            } else {
                agent.show_busy(&mut *lend());
            }
        }
    })
}

/// Tells of each scheduler, by address, whose turn it is.
pub(crate) fn turns(tell: &mut dyn FnMut(usize, Turn, &dyn Holder)) {
    in_use().into_iter().for_each(|agent| agent.turn(tell));
}

/// Returns path and number of each thread that is a process alone, and shows no wait.
pub(crate) fn awake() -> impl Iterator<Item = (String, u32)> {
    in_use().into_iter().filter_map(Agent::awake)
}

/// Agents that stand still: what their processes wait for can't change.
pub(crate) struct Frozen {
    stopped: Vec<Box<dyn Stopped>>,
    _asking: MutexGuard<'static, ()>,
}

/// Makes these stand still, all at once. Returns `None` if one of them does not.
pub(crate) fn freeze(agents: &HashSet<usize>) -> Option<Frozen> {
    let asking = ask();
    let wanted = in_use().into_iter().filter(|agent| agents.contains(&agent.address()));
    let stopped: Vec<_> = wanted.map(Agent::stop).collect();
    let all = stopped.iter().all(|stopped| stopped.is_here());
    all.then_some(Frozen { stopped, _asking: asking })
}

impl Frozen {
    /// Shows their processes to the observer, and gives the observer back.
    pub(crate) fn show<O: Observer + Send + 'static>(&self, observer: O) -> O {
        show_all(observer, |lend| self.stopped.iter().for_each(|stopped| stopped.show(lend())))
    }

    /// Returns whether all these processes are blocked, and none has been woken since it was shown.
    pub(crate) fn are_still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> bool {
        let blocked = self.stopped.iter().map(|stopped| stopped.still_blocked(contexts));
        blocked.sum::<usize>() == contexts.len()
    }

    /// Ends the waits of these processes for good. Joins among them end only if `joins` says so. Strangers are to
    /// be woken when the processes are no longer frozen.
    pub(crate) fn break_off(
        &self,
        contexts: &Arc<HashSet<usize>>,
        joins: bool,
        poison: &Poison,
    ) -> Wakes {
        let mut later = Wakes::new();
        for stopped in &self.stopped {
            later.append(stopped.break_off(contexts, joins, poison));
        }
        later
    }
}

/// Ends one wait.
pub(crate) fn break_off(why: &dyn Blocked, joins: bool, poison: &Poison, later: &mut Wakes) {
    why.wants(&mut |want| {
        if let Some(object) = want.object
            && want.operation.can_be_broken_off(joins)
        {
            object.break_off(poison, later);
        }
    });
}
