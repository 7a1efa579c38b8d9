//! Processes that somebody waits for together.
//!
//! Invariant: `live` counts those that have entered and not left; who waits is called when it is 0.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Failure;
use crate::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::park::{self, Children};
use crate::place::Place;
use crate::sync::Lock;
use crate::termination::Poison;
use crate::waiter::{Seat, Sitting};

pub(crate) struct Group {
    state: Lock<State>,
    place: &'static Location<'static>,
}

struct State {
    live: usize,
    /// The first that failed and has nobody else to be told.
    failure: Option<Failure>,
    waiting: Seat,
    /// Whose children they have become, since nobody waits for them here any more: these are one of that group.
    adopted_by: Option<Arc<Group>>,
}

impl Group {
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        let state = State { live: 0, failure: None, waiting: Seat::new(), adopted_by: None };
        Self { state: Lock::owned(state), place }
    }

    pub(crate) fn enter(&self, n: usize) {
        self.state.lock().live += n;
    }

    pub(crate) fn leave(&self, n: usize) {
        let mut state = self.state.lock();
        state.live -= n;
        if state.live > 0 {
            return;
        }
        state.waiting.call();
        if let Some(children) = state.adopted_by.take() {
            let failure = state.failure.take();
            drop(state);
            failure.into_iter().for_each(|failure| children.fail(failure));
            children.leave(1);
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

    /// The processes of a group are from now on children of the current process.
    pub(crate) fn adopt(group: &Arc<Self>) {
        let children = Self::of_children(group.place);
        let mut state = group.state.lock();
        if state.live > 0 {
            children.enter(1);
            state.adopted_by = Some(children);
        }
    }

    /// The processes that the current one has spawned, if it has.
    pub(crate) fn children() -> Option<Arc<Self>> {
        park::current().children.borrow().clone().map(Self::from)
    }

    /// All that the current process has spawned, if it has.
    pub(crate) fn take_children() -> Option<Arc<Self>> {
        park::current().children.take().map(Self::from)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().live == 0
    }

    fn from(children: Arc<dyn Children>) -> Arc<Self> {
        let group: Arc<dyn Any + Send + Sync> = children;
        group.downcast().expect("nothing else is put there")
    }
}

/// Until all processes of a group have ended.
pub(crate) struct Ended {
    group: Arc<Group>,
    sitting: Sitting,
}

impl Ended {
    pub(crate) fn new(group: Arc<Group>) -> Self {
        Self { group, sitting: Sitting::new() }
    }
}

impl Future for Ended {
    type Output = ();

    fn poll(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<()> {
        let (group, waker) = (&*self.group, waking.waker());
        if self.sitting.sits() {
            let lock = || group.state.lock();
            if !self.sitting.poll(waker, group, lock, |state| &mut state.waiting) {
                return Poll::Pending;
            }
            self.sitting.leave(group.state.lock(), |state| &mut state.waiting, group);
            return Poll::Ready(());
        }
        let mut state = group.state.lock();
        if state.live == 0 {
            return Poll::Ready(());
        }
        // SAFETY: it is pinned, for what sits is; `drop` leaves. The group is on the heap, and held.
        unsafe { self.sitting.sit(waker, &mut state.waiting, group) };
        Poll::Pending
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.sitting.leave(self.group.state.lock(), |state| &mut state.waiting, &*self.group);
    }
}

impl Children for Group {
    fn wait(&self) {
        let state = self.state.lock();
        if state.live > 0 {
            if park::current().is_polled() {
                drop(state);
                park::refuse_to_wait("to wait for other processes", "parallel_async!(…).await");
            }
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

    fn birth(&self) -> Place {
        self.place.into()
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
