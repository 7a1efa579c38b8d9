//! Groups: processes whose end somebody waits for together.
//!
//! Invariant: `live` counts the processes that have entered and not left. When it falls to 0, all waiters are
//! woken.

#![allow(unsafe_code)]

use std::any::Any;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Failure;
use crate::commit::awaited::Awaited;
use crate::commit::parcel::Parcel;
use crate::commit::queue::Queue;
use crate::commit::stand;
use crate::commit::waiter::Waiter;
use crate::report::place::Place;
use crate::report::termination::Poison;
use crate::sync::{Lock, RawLock};
use crate::wait::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Children};

pub(crate) struct Group {
    state: Lock<GroupState>,
    place: &'static Location<'static>,
}

struct GroupState {
    live: usize,
    /// The first failure that nobody else is told of.
    failure: Option<Failure>,
    waiting: Queue<()>,
    /// The group that has adopted these processes because nobody waits for them here any more. This group counts as
    /// one member of that group.
    adopted_by: Option<Arc<Group>>,
}

impl Group {
    pub(crate) fn new(place: &'static Location<'static>) -> Self {
        let state = GroupState { live: 0, failure: None, waiting: Queue::new(), adopted_by: None };
        Self { state: Lock::owned(state), place }
    }

    /// Returns the lock that each of its processes takes.
    pub(super) fn lock(&self) -> &dyn RawLock {
        &self.state
    }

    pub(crate) fn enter(&self, n: usize) {
        self.state.lock().live += n;
    }

    pub(crate) fn leave(&self, n: usize) {
        let mut later = Wakes::new();
        let mut state = self.state.lock();
        state.live -= n;
        if state.live > 0 {
            return;
        }
        while let Some(waiting) = state.waiting.commit_first() {
            waiting.wake_later(&mut later);
        }
        if let Some(children) = state.adopted_by.take() {
            let failure = state.failure.take();
            drop(state);
            drop(later);
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

    /// Returns the group of the processes that the current process spawns.
    pub(crate) fn of_children(place: &'static Location<'static>) -> Arc<Self> {
        let mut children = park::current().children.borrow_mut();
        let group = children.get_or_insert_with(|| Arc::new(Self::new(place)));
        Self::from(Arc::clone(group))
    }

    /// Waits for all processes that the current process has spawned. Returns the first failure among them that
    /// nobody else is told of.
    #[inline]
    pub(crate) fn wait_for_children() -> Option<Failure> {
        let has_none = park::current().children.borrow().is_none();
        if has_none { None } else { Self::wait_for_these_children() }
    }

    fn wait_for_these_children() -> Option<Failure> {
        // They stay its children during the wait, and also if the wait panics.
        Self::children()?.wait();
        Self::take_children()?.take_failure()
    }

    /// Waits until all have ended. A process that is a future writes `instead`.
    #[track_caller]
    pub(crate) fn wait_for_all(&self, instead: &str) {
        let state = self.state.lock();
        if state.live == 0 {
            return;
        }
        let context = park::current();
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("to wait for other processes", instead, Location::caller());
        }
        let (waiter, nothing) = (Waiter::single(context), Parcel::empty());
        stand::stand(context, &waiter, state, |state| &mut state.waiting, &nothing, false, self);
    }

    /// Makes the processes of a group children of the current process.
    pub(crate) fn adopt(group: &Arc<Self>) {
        let children = Self::of_children(group.place);
        // The parent's group is entered first, because nobody holds the locks of two groups.
        children.enter(1);
        let mut state = group.state.lock();
        if state.live > 0 {
            state.adopted_by = Some(children);
        } else {
            drop(state);
            children.leave(1);
        }
    }

    /// Returns the group of the processes that the current process has spawned, if there are any.
    pub(crate) fn children() -> Option<Arc<Self>> {
        park::current().children.borrow().clone().map(Self::from)
    }

    /// Takes the group of the processes that the current process has spawned, if there are any.
    pub(crate) fn take_children() -> Option<Arc<Self>> {
        park::current().children.take().map(Self::from)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().live == 0
    }

    fn from(children: Arc<dyn Children>) -> Arc<Self> {
        debug_assert!(<dyn Any>::is::<Self>(&*children), "nothing else is put there");
        // SAFETY: only `of_children` puts something there, and that is a group. `Kept` puts the same back.
        unsafe { Arc::from_raw(Arc::into_raw(children).cast::<Self>()) }
    }
}

/// A future that completes when all processes of a group have ended.
pub(crate) struct Ended {
    group: Arc<Group>,
    stands: bool,
    awaited: Awaited<()>,
}

impl Ended {
    pub(crate) fn new(group: Arc<Group>) -> Self {
        Self { group, stands: false, awaited: Awaited::new() }
    }
}

impl Future for Ended {
    type Output = ();

    fn poll(self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let waker = waking.waker();
        if !this.stands {
            let mut state = this.group.state.lock();
            if state.live == 0 {
                return Poll::Ready(());
            }
            this.stands = true;
            // SAFETY: all of it is pinned, and `drop` withdraws it.
            unsafe { this.awaited.stand(waker, &mut state.waiting, false, this) };
            drop(state);
            if !this.awaited.is_strange() {
                return Poll::Pending;
            }
        }
        if this.awaited.poll(waker, this, || this.group.state.lock()).is_none() {
            return Poll::Pending;
        }
        this.awaited.clear(this);
        this.stands = false;
        Poll::Ready(())
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.stands {
            self.awaited.withdraw(self.group.state.lock(), |state| &mut state.waiting);
            self.awaited.clear(self);
        }
    }
}

/// The future is registered as blocked, not its group. Several futures may wait for one group, and each must report
/// for itself when it no longer waits.
impl Blocked for Ended {
    fn place(&self) -> &'static Location<'static> {
        self.group.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        Blocked::wants(&*self.group, tell);
    }
}

impl Children for Group {
    fn wait(&self) {
        self.wait_for_all("shutdown_async().await");
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

    fn break_off(&self, _: &Poison, _: &mut Wakes) {
        // The processes of the group end the wait.
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
