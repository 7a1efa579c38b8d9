//! Asking a scheduler about its processes, which only its own thread can tell.
//!
//! The question waits at the scheduler until that next looks at its inbox. One that keeps its thread busy is
//! asked in vain, and the question is taken back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scheduler::Scheduler;

/// How long a scheduler is given.
const PATIENCE: Duration = Duration::from_millis(100);

type Work = Box<dyn FnOnce(&'static Scheduler) + Send>;

/// What a scheduler has been asked.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<Arc<Question>>>);

struct Question {
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    /// The scheduler has not come to it yet.
    Asked,
    /// The scheduler waits here for what it is to do.
    Here,
    ToDo(Work),
    Doing,
    /// The scheduler may go on, or need not come.
    Over,
}

impl Questions {
    /// Called by the scheduler: does what the others want until they let it go.
    pub(super) fn answer(&self, scheduler: &'static Scheduler) {
        loop {
            let question = lock(&self.0).pop_front();
            let Some(question) = question else { return };
            question.answer(scheduler);
        }
    }
}

impl Question {
    fn answer(&self, scheduler: &'static Scheduler) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Asked) {
            *state = State::Here;
            self.changed.notify_all();
        }
        loop {
            match std::mem::replace(&mut *state, State::Doing) {
                State::ToDo(work) => {
                    drop(state);
                    work(scheduler);
                    scheduler.wakes_if_ready();
                    state = lock(&self.state);
                    if matches!(*state, State::Doing) {
                        *state = State::Here;
                    }
                    self.changed.notify_all();
                }
                State::Over => {
                    *state = State::Over;
                    return;
                }
                other => {
                    *state = other;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// A scheduler that does nothing but what it is told, until this is dropped.
pub(super) struct Held {
    pub(super) scheduler: &'static Scheduler,
    /// None: it is this thread's own.
    question: Option<Arc<Question>>,
}

/// Asks a scheduler to stop; [`Held::is_here`] says whether it has.
pub(super) fn hold(scheduler: &'static Scheduler) -> Held {
    if scheduler.is_of_this_thread() {
        return Held { scheduler, question: None };
    }
    let question = Arc::new(Question { state: Mutex::new(State::Asked), changed: Condvar::new() });
    lock(&scheduler.questions().0).push_back(Arc::clone(&question));
    scheduler.alert();
    Held { scheduler, question: Some(question) }
}

impl Held {
    /// Waits until it has stopped, but not for ever.
    pub(super) fn is_here(&self) -> bool {
        let Some(question) = &self.question else { return true };
        let asked = Instant::now();
        let mut state = lock(&question.state);
        while matches!(*state, State::Asked) {
            let left = PATIENCE.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return false;
            }
            let waited = question.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Has it do something, once it is here.
    pub(super) fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&'static Scheduler) -> R + Send + 'static,
    ) -> R {
        let Some(question) = &self.question else { return work(self.scheduler) };
        let result = Arc::new(Mutex::new(None));
        let put = Arc::clone(&result);
        let work: Work = Box::new(move |scheduler| *lock(&put) = Some(work(scheduler)));
        let mut state = lock(&question.state);
        *state = State::ToDo(work);
        question.changed.notify_all();
        while !matches!(*state, State::Here) {
            state = question.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        lock(&result).take().expect("it has been done")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(question) = &self.question {
            *lock(&question.state) = State::Over;
            question.changed.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
