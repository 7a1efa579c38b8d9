//! Asking a scheduler about its processes, which only its own thread can tell.
//!
//! The question waits at the scheduler until that next looks at its inbox. One that keeps its thread busy is
//! asked in vain, and the question is taken back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::scheduler::Scheduler;

/// How long a scheduler is given.
const PATIENCE: Duration = Duration::from_millis(100);

type Task = Box<dyn FnOnce(&'static Scheduler) + Send>;

/// What a scheduler has been asked.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<Arc<Question>>>);

struct Question {
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Asked(Task),
    BeingAnswered,
    Answered,
    TakenBack,
}

impl Questions {
    /// Called by the scheduler.
    pub(super) fn answer(&self, scheduler: &'static Scheduler) {
        loop {
            let question = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(question) = question else { return };
            if let Some(task) = question.begin() {
                task(scheduler);
                question.set(State::Answered);
            }
        }
    }
}

impl Question {
    fn begin(&self) -> Option<Task> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::BeingAnswered) {
            State::Asked(task) => Some(task),
            other => {
                *state = other;
                None
            }
        }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_one();
    }
}

/// Has `task` done by the scheduler. False: it has not been, and won't be.
pub(super) fn ask(
    scheduler: &'static Scheduler,
    task: impl FnOnce(&'static Scheduler) + Send + 'static,
) -> bool {
    if scheduler.is_of_this_thread() {
        task(scheduler);
        return true;
    }
    let question = Arc::new(Question {
        state: Mutex::new(State::Asked(Box::new(task))),
        changed: Condvar::new(),
    });
    let Questions(queue) = scheduler.questions();
    queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(Arc::clone(&question));
    scheduler.alert();
    let asked = Instant::now();
    let mut state = question.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match &*state {
            State::Answered => return true,
            State::Asked(_) if asked.elapsed() >= PATIENCE => {
                *state = State::TakenBack;
                return false;
            }
            _ => {}
        }
        let left = PATIENCE.saturating_sub(asked.elapsed()).max(Duration::from_millis(1));
        let waited = question.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}
