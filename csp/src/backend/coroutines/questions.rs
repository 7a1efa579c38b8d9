//! Questions to a scheduler about its processes, which only its own thread can answer.
//!
//! A question waits at the scheduler until the scheduler next looks at its inbox. If a coroutine keeps the thread
//! busy, the question is not answered in time and is taken back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scheduler::Scheduler;
use crate::system::mutex::lock;

/// The time that a scheduler is given to answer.
const PATIENCE: Duration = Duration::from_millis(100);

type Instruction = Box<dyn FnOnce(&'static Scheduler) + Send>;

/// The questions to a scheduler.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<Arc<Question>>>);

struct Question {
    state: Mutex<QuestionState>,
    changed: Condvar,
}

enum QuestionState {
    /// The scheduler has not reached the question yet.
    Asked,
    /// The scheduler has stopped here and waits for instructions.
    Here,
    ToDo(Instruction),
    Doing,
    /// The scheduler may go on, or need not stop any more.
    Over,
}

impl Questions {
    /// Answers all questions: does what the askers want until they let the scheduler go. The scheduler calls this.
    pub(super) fn answer(&self, scheduler: &'static Scheduler) {
        loop {
            let question = lock(&self.0).pop_front();
            let Some(question) = question else { return };
            question.answer(scheduler);
        }
    }
}

impl Question {
    /// Tells the other side of a change. The lock is free meanwhile, because the one who wakes wants it at once.
    fn tell<'a>(&'a self, state: MutexGuard<'a, QuestionState>) -> MutexGuard<'a, QuestionState> {
        drop(state);
        self.changed.notify_all();
        lock(&self.state)
    }

    fn answer(&self, scheduler: &'static Scheduler) {
        let mut state = lock(&self.state);
        if matches!(*state, QuestionState::Asked) {
            *state = QuestionState::Here;
            state = self.tell(state);
        }
        loop {
            match std::mem::replace(&mut *state, QuestionState::Doing) {
                QuestionState::ToDo(work) => {
                    drop(state);
                    work(scheduler);
                    scheduler.wakes_if_ready();
                    state = lock(&self.state);
                    if matches!(*state, QuestionState::Doing) {
                        *state = QuestionState::Here;
                    }
                    state = self.tell(state);
                }
                QuestionState::Over => {
                    *state = QuestionState::Over;
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

/// A stopped scheduler: it does only what it is told, until this is dropped.
pub(super) struct HeldScheduler {
    pub(super) scheduler: &'static Scheduler,
    /// `None` if the scheduler is this thread's own.
    question: Option<Arc<Question>>,
}

/// Asks a scheduler to stop. [`HeldScheduler::is_here`] says whether it has.
pub(super) fn hold(scheduler: &'static Scheduler) -> HeldScheduler {
    if scheduler.is_of_this_thread() {
        return HeldScheduler { scheduler, question: None };
    }
    let question =
        Arc::new(Question { state: Mutex::new(QuestionState::Asked), changed: Condvar::new() });
    lock(&scheduler.questions().0).push_back(Arc::clone(&question));
    scheduler.alert();
    HeldScheduler { scheduler, question: Some(question) }
}

impl HeldScheduler {
    /// Waits for a limited time until the scheduler has stopped. Returns whether it has.
    pub(super) fn is_here(&self) -> bool {
        let Some(question) = &self.question else { return true };
        let asked = Instant::now();
        let mut state = lock(&question.state);
        while matches!(*state, QuestionState::Asked) {
            let left = PATIENCE.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return false;
            }
            let waited = question.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Has the scheduler call a function, once it has stopped.
    pub(super) fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&'static Scheduler) -> R + Send + 'static,
    ) -> R {
        let Some(question) = &self.question else { return work(self.scheduler) };
        let result = Arc::new(Mutex::new(None));
        let put = Arc::clone(&result);
        let work: Instruction = Box::new(move |scheduler| *lock(&put) = Some(work(scheduler)));
        let mut state = lock(&question.state);
        *state = QuestionState::ToDo(work);
        state = question.tell(state);
        while !matches!(*state, QuestionState::Here) {
            state = question.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        lock(&result).take().expect("it has been done")
    }
}

impl Drop for HeldScheduler {
    fn drop(&mut self) {
        if let Some(question) = &self.question {
            *lock(&question.state) = QuestionState::Over;
            question.changed.notify_all();
        }
    }
}
