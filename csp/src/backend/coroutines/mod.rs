//! Coroutines: many processes on one thread, each with a stack of its own.
//!
//! A thread that starts one becomes their scheduler, and schedules whenever it waits itself. A started
//! coroutine stays on its thread.

mod engine;
mod generator;
mod marks;
mod questions;
mod scheduler;
mod timers;

use std::collections::HashSet;
use std::sync::Arc;

use self::questions::Held;
use self::scheduler::Scheduler;
use crate::busy::Turn;
use crate::park::Observer;
use crate::process::job::Work;
use crate::termination::Poison;

pub(super) fn start(work: Arc<dyn Work>) {
    Scheduler::of_this_thread().start(work);
}

/// Makes this thread a scheduler, if it is none.
pub(super) fn make_scheduler() {
    Scheduler::of_this_thread();
}

/// Shows the coroutines of all schedulers, one after the other; gives the observer back.
pub(super) fn survey<O: Observer + Send + 'static>(mut observer: O) -> O {
    for scheduler in Scheduler::all() {
        let held = questions::hold(scheduler);
        observer = if held.is_here() {
            show(&held, observer)
        } else {
            scheduler.show_busy(&mut observer);
            observer
        };
    }
    observer
}

/// Tells of each scheduler whose turn it is.
pub(super) fn turns(tell: &mut dyn FnMut(usize, Turn, &str)) {
    for scheduler in Scheduler::all() {
        scheduler.turn(tell);
    }
}

fn show<O: Observer + Send + 'static>(held: &Held, mut observer: O) -> O {
    held.run(move |scheduler| {
        scheduler.take_letters();
        scheduler.show(&mut observer);
        observer
    })
}

/// Schedulers that stand still.
pub(super) struct Frozen(Vec<Held>);

/// Has these schedulers stand still, all at once. None: one of them does not.
pub(super) fn freeze(agents: &HashSet<usize>) -> Option<Frozen> {
    let all = Scheduler::all().into_iter();
    let wanted = all.filter(|scheduler| agents.contains(&scheduler.agent()));
    let held: Vec<_> = wanted.map(questions::hold).collect();
    held.iter().all(Held::is_here).then_some(Frozen(held))
}

impl Frozen {
    pub(super) fn show<O: Observer + Send + 'static>(&self, observer: O) -> O {
        self.0.iter().fold(observer, |observer, held| show(held, observer))
    }

    /// How many of these processes are still blocked, without a deadline.
    pub(super) fn still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> usize {
        let count = |held: &Held| {
            let contexts = Arc::clone(contexts);
            held.run(move |scheduler| {
                scheduler.take_letters();
                contexts.iter().filter(|&&context| scheduler.why(context).is_some()).count()
            })
        };
        self.0.iter().map(count).sum()
    }

    /// Ends their waits.
    pub(super) fn break_off(&self, contexts: &Arc<HashSet<usize>>, joins: bool, poison: &Poison) {
        for held in &self.0 {
            let (contexts, poison) = (Arc::clone(contexts), poison.clone());
            held.run(move |scheduler| {
                for &context in &*contexts {
                    if let Some(why) = scheduler.why(context) {
                        super::break_off(why, joins, &poison);
                    }
                }
            });
        }
    }
}

/// What a thread does that waits for its turn to ask.
pub(super) fn answer_meanwhile() {
    Scheduler::answer_now();
}
