//! Processes that somebody waits for together.
//!
//! Invariant: `live` counts those that have entered and not left; who waits is called when it is 0.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use super::Failure;
use crate::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::park::{self, Children};
use crate::sync::Lock;
use crate::termination::Poison;
use crate::waiter::Seat;

pub(crate) struct Group {
    state: Lock<State>,
    place: &'static Location<'static>,
}

struct State {
    live: usize,
    /// The first that failed and has nobody else to be told.
    failure: Option<Failure>,
    waiting: Seat,
}

impl Group {
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        let state = State { live: 0, failure: None, waiting: Seat::new() };
        Self { state: Lock::new(state), place }
    }

    pub(crate) fn enter(&self, n: usize) {
        self.state.lock().live += n;
    }

    pub(crate) fn leave(&self, n: usize) {
        let mut state = self.state.lock();
        state.live -= n;
        if state.live == 0 {
            state.waiting.call();
        }
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.state.lock().failure.get_or_insert(failure);
    }

    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.state.lock().failure.take()
    }

    /// The group of the processes that the current one spawns.
    pub(crate) fn of_children(place: &'static Location<'static>) -> Arc<Self> {
        let mut children = park::current().children.borrow_mut();
        let group = children.get_or_insert_with(|| Arc::new(Self::new(place)));
        Self::from(Arc::clone(group))
    }

    /// Waits for all that the current process has spawned. The first of them that failed with nobody else
    /// to be told.
    pub(crate) fn wait_for_children() -> Option<Failure> {
        let children = park::current().children.take()?;
        children.wait();
        Self::from(children).state.lock().failure.take()
    }

    fn from(children: Arc<dyn Children>) -> Arc<Self> {
        let group: Arc<dyn Any + Send + Sync> = children;
        group.downcast().expect("nothing else is put there")
    }
}

impl Children for Group {
    fn wait(&self) {
        let state = self.state.lock();
        if state.live > 0 {
            Seat::wait(park::current(), state, |state| &mut state.waiting, self);
        }
    }
}

impl Object for Group {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn kind(&self) -> String {
        "processes".to_owned()
    }

    fn name(&self) -> Option<String> {
        None
    }

    fn birth(&self) -> &'static Location<'static> {
        self.place
    }

    fn needs(&self) -> Needs {
        Needs::Group(self.address())
    }

    fn break_off(&self, _: &Poison) {
        // Its processes are what ends the wait.
    }
}

impl Blocked for Group {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::JoinAll, object: Some(self) });
    }
}
