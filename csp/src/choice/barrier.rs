//! Barriers and buckets: many processes that go on together.
//!
//! Invariant: whenever a barrier's lock is free and somebody is enrolled, the queue holds fewer waiters than there
//! are enrolments. Waiters that are committed elsewhere do not count here.
//!
//! A future that awaits an operation may be leaked without being dropped (`mem::forget`). Its offer then stays in
//! the queue. It points at the core that all handles share, and the core takes all offers out of its queue before
//! it goes.
#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{self, Poll};

use super::guard::{Entry, Guard, Stand, Tried};
use crate::commit::awaited::Awaited;
use crate::commit::parcel::Parcel;
use crate::commit::queue::Queue;
use crate::commit::stand::{self, Standing};
use crate::commit::waiter::{Outcome, Waiter};
use crate::report::place::Place;
use crate::report::termination::{Poison, Termination};
use crate::sync::{Arc, Lock, RawLock};
use crate::system::quiet;
use crate::wait::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::wait::future;
use crate::wait::future::wakes::Wakes;
use crate::wait::park::{self, Context};
use crate::wait::seen::holders::{Claim, Held, Holder, Holders};
use crate::watch;

/// A barrier: processes that wait for one another. [`sync`](Self::sync) returns when every enrolled process has
/// called it.
///
/// Every `Barrier` value is one enrolment. `clone` (or [`enrol`](Self::enrol)) adds an enrolment, so `n * process`
/// of a process with a barrier among its arguments enrols all `n`. Dropping the value (or [`resign`](Self::resign))
/// resigns, also when the process panics. A process that keeps a value but never syncs on it holds up all the
/// others.
///
/// `barrier.sync()` is a guard too, in [`alt!`](crate::alt) and in [`Alternation`](crate::Alternation). It is ready
/// when all the others are waiting at the barrier. Either all of them are committed to it together, or none is.
///
/// Idea: `BARRIER` of occam-pi, `Barrier` and `AltingBarrier` of JCSP.
///
/// ```
/// use csp::{parallel, process, Barrier, Channel, Writer};
///
/// #[process]
/// fn walker(steps: Barrier, log: Writer<u32>) -> csp::Result {
///     for step in 0..3 {
///         log.write(step)?;
///         steps.sync();
///     }
///     Ok(())
/// }
/// #[process]
/// fn reader(log: csp::Reader<u32>) -> Vec<u32> {
///     log.iter().collect()
/// }
///
/// let log = Channel::new();
/// let (_, seen) = parallel!(2 * walker(Barrier::new(), log.writer()), reader(log.reader()));
/// assert_eq!(seen, [0, 0, 1, 1, 2, 2]);
/// ```
pub struct Barrier {
    core: Arc<Core>,
    claim: Claim,
}

#[allow(missing_debug_implementations, reason = "nobody outside sees it")]
pub struct Core {
    state: Lock<State>,
    birth: &'static Location<'static>,
}

struct State {
    enrolled: usize,
    waiting: Queue<(), usize>,
    /// The enrolled processes, as far as they are known.
    holders: Holders,
    /// A deadlock has broken the barrier: no process waits here any more.
    broken: Option<Poison>,
}

impl State {
    /// Lets all waiters go if everyone is here. It is called when a process has come or has resigned. `here`
    /// processes have come without being in the queue.
    fn complete(&mut self, here: usize, later: &mut Wakes) -> bool {
        self.enrolled > 0 && self.waiting.commit_all(self.enrolled - here, later)
    }
}

/// The guard `barrier.sync()`.
pub struct Sync<C> {
    core: C,
    standing: Standing<()>,
}

/// Makes the guard `barrier.sync()`.
pub fn sync(barrier: &Barrier) -> Sync<&Core> {
    Sync { core: &barrier.core, standing: Standing::new() }
}

/// Makes the guard `barrier.sync()` for longer than the barrier is borrowed.
pub(crate) fn sync_of(barrier: &Barrier) -> Sync<Arc<Core>> {
    Sync { core: Arc::clone(&barrier.core), standing: Standing::new() }
}

impl<C: Borrow<Core>> Sync<C> {
    fn core(&self) -> &Core {
        self.core.borrow()
    }

    fn perform(state: &mut State, later: &mut Wakes) -> Tried {
        match () {
            () if state.broken.is_some() => Tried::Poisoned,
            () if state.complete(1, later) => Tried::Performed,
            () => Tried::NotReady,
        }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, and both hold the barrier's lock.
unsafe impl<C: Borrow<Core>> Stand for Sync<C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(&self.core().state)
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        let mut later = Wakes::new();
        Self::perform(&mut self.core().state.lock(), &mut later)
    }

    unsafe fn attempt(&self, later: &mut Wakes) -> Tried {
        // SAFETY: the caller holds the lock.
        Self::perform(unsafe { self.core().state.held() }, later)
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller holds the lock.
        let state = unsafe { self.core().state.held() };
        // SAFETY: the caller's promise.
        unsafe { self.standing.stand(&mut state.waiting, waiter, index, false) };
    }

    fn withdraw(&self) {
        self.standing.withdraw(&mut self.core().state.lock().waiting);
    }

    fn finish(&self, _: &Context, _: &'static Location<'static>) -> bool {
        true
    }

    fn ended(&self) -> Option<Termination> {
        self.core().state.lock().broken.clone().map(Termination::Poisoned)
    }

    fn want(&self) -> Want<'_> {
        Want { operation: Operation::Sync, object: Some(self.core()) }
    }

    fn want_standing(&self) -> Option<Want<'_>> {
        self.standing.stands().then(|| self.want())
    }
}

impl<C: Borrow<Core>> Guard for Sync<C> {
    type Left = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn keep(&mut self, (): &()) {}
}

impl<C: Borrow<Core>> fmt::Debug for Sync<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.want())
    }
}

impl Object for Core {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn kind(&self) -> String {
        "barrier".to_owned()
    }

    fn name(&self) -> Option<String> {
        None
    }

    fn birth(&self) -> Place {
        self.birth.into()
    }

    fn needs(&self) -> Needs {
        Needs::Everyone { holders: self.state.lock().holders.iter().collect() }
    }

    fn break_off(&self, poison: &Poison, later: &mut Wakes) {
        let mut state = self.state.lock();
        state.broken = Some(poison.clone());
        state.waiting.end_all(true, later);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // In a model no future is leaked, and nobody looks at what is blocked.
        if cfg!(loom) {
            return;
        }
        let mut later = Wakes::new();
        self.state.lock().waiting.end_all(true, &mut later);
        future::unseen();
    }
}

impl Core {
    #[cold]
    #[track_caller]
    fn give_up(&self, context: &Context) -> ! {
        let broken = self.state.lock().broken.clone();
        give_up(context, broken.expect("only a broken barrier turns one away"))
    }
}

/// Panics, because a process at a broken barrier or bucket has no other way to fail.
#[track_caller]
pub(super) fn give_up(context: &Context, poison: Poison) -> ! {
    context.stop(poison.clone());
    panic!("{poison}")
}

impl Barrier {
    /// Makes a barrier with one enrolment, which belongs to the owner of the returned value.
    #[track_caller]
    pub fn new() -> Self {
        let state = State {
            enrolled: 1,
            waiting: Queue::counted(),
            holders: Holders::default(),
            broken: None,
        };
        quiet::watched_by(watch::start);
        let core = Core { state: Lock::new(state), birth: Location::caller() };
        Self { core: Arc::new(core), claim: Claim::none() }
    }

    pub(crate) fn claim(&self, sure: bool) {
        let who = park::current().who();
        let holder = Holder { who, what: Held::Barrier, sure };
        self.claim.by(&mut self.core.state.lock().holders, holder);
    }

    /// Returns one more enrolment. From now on the barrier waits for it too.
    #[must_use = "the barrier waits for whoever is enrolled"]
    pub fn enrol(&self) -> Self {
        self.clone()
    }

    /// Gives up this enrolment. Dropping the value does the same.
    pub fn resign(self) {}

    /// Waits until all enrolled processes have come here.
    ///
    /// In a process that unwinds it returns at once. That process resigns.
    ///
    /// # Panics
    /// Panics with a deadlock report if the processes it is waiting for are themselves waiting, directly or
    /// indirectly, for this one.
    #[track_caller]
    pub fn sync(&self) {
        let context = park::current();
        let mut later = Wakes::new();
        let mut state = self.core.state.lock();
        if state.broken.is_some() && !std::thread::panicking() {
            drop(state);
            self.core.give_up(context);
        }
        if state.complete(1, &mut later) || std::thread::panicking() {
            drop(state);
            context.communicated();
            return;
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a barrier", "sync_async().await", Location::caller());
        }
        let why =
            Waiting { operation: Operation::Sync, at: &*self.core, place: Location::caller() };
        let (waiter, nothing) = (Waiter::single(context), Parcel::empty());
        stand::stand(context, &waiter, state, |state| &mut state.waiting, &nothing, false, &why);
        if waiter.outcome() == Outcome::Ended {
            self.core.give_up(context);
        }
        context.communicated();
    }
}

impl Barrier {
    /// The `async` form of [`sync`](Self::sync). If the future is dropped before it completes, the process has not
    /// come to the barrier.
    ///
    /// # Panics
    /// As [`sync`](Self::sync).
    #[track_caller]
    pub fn sync_async(&self) -> impl Future<Output = ()> {
        Coming { core: &self.core, come: false, awaited: Awaited::new(), place: Location::caller() }
    }
}

/// A process at a barrier that awaits the others.
struct Coming<'a> {
    core: &'a Core,
    come: bool,
    awaited: Awaited<()>,
    place: &'static Location<'static>,
}

impl Future for Coming<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let context = park::current();
        if !this.come {
            let mut later = Wakes::new();
            let mut state = this.core.state.lock();
            if state.broken.is_some() && !std::thread::panicking() {
                drop(state);
                this.core.give_up(context);
            }
            if state.complete(1, &mut later) || std::thread::panicking() {
                drop(state);
                context.communicated();
                return Poll::Ready(());
            }
            this.come = true;
            // SAFETY: all of it is pinned, and `drop` withdraws it.
            unsafe {
                this.awaited.stand(waking.waker(), &mut state.waiting, false, this);
            }
            drop(state);
            if !this.awaited.is_strange() {
                return Poll::Pending;
            }
        }
        let Some(outcome) = this.awaited.poll(waking.waker(), this, || this.core.state.lock())
        else {
            return Poll::Pending;
        };
        this.awaited.clear(this);
        this.come = false;
        if outcome == Outcome::Ended {
            this.core.give_up(context);
        }
        context.communicated();
        Poll::Ready(())
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if self.come {
            self.awaited.withdraw(self.core.state.lock(), |state| &mut state.waiting);
            self.awaited.clear(self);
        }
    }
}

impl Blocked for Coming<'_> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        // Without an offer in the queue, the process is about to be woken, or the future was leaked. In the latter
        // case the barrier may be gone.
        let object = self.awaited.stands().then_some(self.core as &dyn Object);
        tell(Want { operation: Operation::Sync, object });
    }
}

impl Clone for Barrier {
    /// Returns one more enrolment.
    fn clone(&self) -> Self {
        self.core.state.lock().enrolled += 1;
        Self { core: Arc::clone(&self.core), claim: Claim::none() }
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        let mut later = Wakes::new();
        let mut state = self.core.state.lock();
        state.holders.leave(&self.claim);
        state.enrolled -= 1;
        state.complete(0, &mut later);
        drop(state);
    }
}

impl Default for Barrier {
    /// Makes a barrier that is known by the place of the call, as one that [`new`](Self::new) makes.
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

// A panic breaks nothing here: no code of the user's runs under the lock, and a process that unwinds has withdrawn its offer.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier({})", self.core.birth)
    }
}

/// A process at a barrier or in a bucket.
pub(super) struct Waiting<'a> {
    pub(super) operation: Operation,
    pub(super) at: &'a dyn Object,
    pub(super) place: &'static Location<'static>,
}

impl Blocked for Waiting<'_> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: Some(self.at) });
    }
}
