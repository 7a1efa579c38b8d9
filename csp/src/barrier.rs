//! Barriers and buckets: many processes that go on together.
//!
//! Invariant, whenever a barrier's lock is free and somebody is enrolled: fewer processes that are not
//! committed elsewhere stand in its queue than are enrolled.
#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{self, Poll};

use crate::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::guard::{Entry, Guard, Stand, Tried};
use crate::holders::{Claim, Held, Holder, Holders};
use crate::park::{self, Context};
use crate::place::Place;
use crate::sync::{Arc, Lock, RawLock};
use crate::termination::{Poison, Termination};
use crate::waiter::{self, Awaited, Outcome, Queue, Standing, Waiter};

/// Processes that wait for one another: [`sync`](Self::sync) returns when all that are enrolled have called it.
///
/// Every `Barrier` value is one enrolment. `clone` (or [`enrol`](Self::enrol)) enrols one more, so `n * process` of a
/// process with a barrier among its arguments enrols all `n`; dropping it (or [`resign`](Self::resign)) resigns, also when
/// the process panics. A process that keeps a value that it never syncs on holds all the others up.
///
/// `barrier.sync()` is a guard too, in [`alt!`](crate::alt) and in [`Alternation`](crate::Alternation): it is ready when all
/// the others wait for the barrier, and all are committed to it together or none is.
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
    /// Who is enrolled, as far as that is known.
    holders: Holders,
    /// A deadlock: nobody waits here any more.
    broken: Option<Poison>,
}

impl State {
    /// One more has come, or one less is enrolled: lets all go if all are here. `here`: counted on top of those
    /// that wait.
    fn complete(&mut self, here: usize) -> bool {
        self.enrolled > 0 && self.waiting.commit_all(self.enrolled - here)
    }
}

/// The guard `barrier.sync()`.
pub struct Sync<C> {
    core: C,
    standing: Standing<()>,
}

/// The guard `barrier.sync()`.
pub fn sync(barrier: &Barrier) -> Sync<&Arc<Core>> {
    Sync { core: &barrier.core, standing: Standing::new() }
}

/// The guard `barrier.sync()`, for longer than the barrier is borrowed.
pub(crate) fn sync_of(barrier: &Barrier) -> Sync<Arc<Core>> {
    Sync { core: Arc::clone(&barrier.core), standing: Standing::new() }
}

impl<C: Borrow<Arc<Core>>> Sync<C> {
    fn core(&self) -> &Core {
        self.core.borrow()
    }

    fn perform(state: &mut State) -> Tried {
        match () {
            () if state.broken.is_some() => Tried::Poisoned,
            () if state.complete(1) => Tried::Performed,
            () => Tried::NotReady,
        }
    }
}

// SAFETY: `withdraw` takes out what `stand` put in, both under the barrier's lock.
unsafe impl<C: Borrow<Arc<Core>>> Stand for Sync<C> {
    fn lock(&self) -> Option<&dyn RawLock> {
        Some(&self.core().state)
    }

    fn try_alone(&self, _: &Context, _: &'static Location<'static>) -> Tried {
        Self::perform(&mut self.core().state.lock())
    }

    unsafe fn attempt(&self) -> Tried {
        // SAFETY: the caller holds the lock.
        Self::perform(unsafe { self.core().state.held() })
    }

    unsafe fn stand(&self, waiter: &Waiter, index: u32) {
        // SAFETY: the caller holds the lock.
        let state = unsafe { self.core().state.held() };
        // SAFETY: the caller's promise.
        unsafe { self.standing.stand(&mut state.waiting, waiter, index, Some(()), false) };
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
}

impl<C: Borrow<Arc<Core>>> Guard for Sync<C> {
    type Value = ();

    fn offer(&mut self) -> Entry<'_> {
        Entry(Some(self))
    }

    fn value(self) {}
}

impl<C: Borrow<Arc<Core>>> fmt::Debug for Sync<C> {
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

    fn break_off(&self, poison: &Poison) {
        let mut state = self.state.lock();
        state.broken = Some(poison.clone());
        state.waiting.end_all(true);
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

/// A process at something broken has no other way to fail.
#[track_caller]
fn give_up(context: &Context, poison: Poison) -> ! {
    context.stop(poison.clone());
    panic!("{poison}")
}

impl Barrier {
    /// A barrier with one process enrolled: the one that holds it.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "a barrier is known by the place it is made")]
    pub fn new() -> Self {
        let state = State {
            enrolled: 1,
            waiting: Queue::counted(),
            holders: Holders::default(),
            broken: None,
        };
        let core = Core { state: Lock::new(state), birth: Location::caller() };
        Self { core: Arc::new(core), claim: Claim::none() }
    }

    pub(crate) fn claim(&self, sure: bool) {
        let who = park::current().who();
        let holder = Holder { who, what: Held::Barrier, sure };
        self.claim.by(&mut self.core.state.lock().holders, holder);
    }

    /// One more enrolment. From now on the barrier waits for it too.
    #[must_use = "the barrier waits for whoever is enrolled"]
    pub fn enrol(&self) -> Self {
        self.clone()
    }

    /// Gives this enrolment up. The same as dropping it.
    pub fn resign(self) {}

    /// Waits until all that are enrolled have come here.
    ///
    /// In a process that unwinds it returns at once: it resigns.
    ///
    /// # Panics
    /// In a deadlock, with the report of it: whom it waits for waits for this process, or for others who do.
    #[track_caller]
    pub fn sync(&self) {
        let context = park::current();
        let mut state = self.core.state.lock();
        if state.broken.is_some() {
            drop(state);
            self.core.give_up(context);
        }
        if state.complete(1) || std::thread::panicking() {
            drop(state);
            context.communicated();
            return;
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a barrier", "sync_async().await");
        }
        let why =
            Waiting { operation: Operation::Sync, at: &*self.core, place: Location::caller() };
        let served =
            waiter::stand(context, state, |state| &mut state.waiting, Some(()), false, &why);
        if served.outcome == Outcome::Ended {
            self.core.give_up(context);
        }
        context.communicated();
    }
}

impl Barrier {
    /// [`sync`](Self::sync) in an `async` process. Dropped before it is done, it has not come to the barrier.
    ///
    /// # Panics
    /// As [`sync`](Self::sync).
    #[track_caller]
    pub fn sync_async(&self) -> impl Future<Output = ()> {
        Coming { core: &self.core, come: false, awaited: Awaited::new(), place: Location::caller() }
    }
}

/// A process at a barrier, which awaits the others.
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
            let mut state = this.core.state.lock();
            if state.broken.is_some() {
                drop(state);
                this.core.give_up(context);
            }
            if state.complete(1) || std::thread::panicking() {
                drop(state);
                context.communicated();
                return Poll::Ready(());
            }
            this.come = true;
            // SAFETY: all of it is pinned, and withdrawn by `drop`.
            unsafe {
                this.awaited.stand(waking.waker(), &mut state.waiting, Some(()), false, this);
            }
            return Poll::Pending;
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
        tell(Want { operation: Operation::Sync, object: Some(self.core) });
    }
}

impl Clone for Barrier {
    /// One more enrolment.
    fn clone(&self) -> Self {
        self.core.state.lock().enrolled += 1;
        Self { core: Arc::clone(&self.core), claim: Claim::none() }
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        let mut state = self.core.state.lock();
        state.holders.leave(&self.claim);
        state.enrolled -= 1;
        state.complete(0);
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier({})", self.core.birth)
    }
}

/// Where processes wait until another lets them all go.
///
/// `clone` makes one more handle to the same bucket. Nothing is counted: who falls in waits until somebody flushes.
///
/// Idea: `Bucket` of JCSP, `BUCKET` of occam-pi.
///
/// ```
/// use csp::{parallel, process, Barrier, Bucket};
///
/// #[process]
/// fn sleeper(bucket: Bucket) {
///     bucket.fall_in();
/// }
/// #[process]
/// fn waker(bucket: Bucket) -> usize {
///     let mut woken = 0;
///     while woken < 3 {
///         woken += bucket.flush();
/// #       csp::sleep(std::time::Duration::from_micros(50));
///     }
///     woken
/// }
///
/// let bucket = Bucket::new();
/// assert_eq!(parallel!(3 * sleeper(bucket.clone()), waker(bucket)).1, 3);
/// ```
#[derive(Clone)]
pub struct Bucket {
    state: Arc<Lock<InBucket>>,
    birth: &'static Location<'static>,
}

struct InBucket {
    waiting: Queue<(), usize>,
    /// A deadlock: nobody waits here any more.
    broken: Option<Poison>,
}

impl Bucket {
    /// An empty bucket.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "a bucket is known by the place it is made")]
    pub fn new() -> Self {
        let state = InBucket { waiting: Queue::counted(), broken: None };
        Self { state: Arc::new(Lock::new(state)), birth: Location::caller() }
    }

    /// Waits until the bucket is flushed. In a process that unwinds it returns at once.
    ///
    /// # Panics
    /// In a deadlock, with the report of it: nobody is left to flush.
    #[track_caller]
    pub fn fall_in(&self) {
        if std::thread::panicking() {
            return;
        }
        let context = park::current();
        let why = Waiting { operation: Operation::FallIn, at: self, place: Location::caller() };
        let state = self.state.lock();
        if let Some(poison) = state.broken.clone() {
            drop(state);
            give_up(context, poison);
        }
        if context.is_polled() {
            drop(state);
            park::refuse_to_wait("a bucket", "fall_in_async().await");
        }
        let served =
            waiter::stand(context, state, |state| &mut state.waiting, Some(()), false, &why);
        let broken = self.state.lock().broken.clone();
        match broken {
            Some(poison) if served.outcome == Outcome::Ended => give_up(context, poison),
            _ => context.communicated(),
        }
    }

    /// [`fall_in`](Self::fall_in) in an `async` process. Dropped before it is done, it is out again.
    ///
    /// # Panics
    /// As [`fall_in`](Self::fall_in).
    #[track_caller]
    pub fn fall_in_async(&self) -> impl Future<Output = ()> {
        Falling { bucket: self, fallen: false, awaited: Awaited::new(), place: Location::caller() }
    }

    /// Lets all go that are in the bucket; how many they were.
    pub fn flush(&self) -> usize {
        let mut state = self.state.lock();
        let mut flushed = 0;
        while let Some(process) = state.waiting.commit_first() {
            process.wake();
            flushed += 1;
        }
        flushed
    }

    /// How many are in the bucket.
    pub fn holding(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

/// A process in a bucket, which awaits a flush.
struct Falling<'a> {
    bucket: &'a Bucket,
    fallen: bool,
    awaited: Awaited<()>,
    place: &'static Location<'static>,
}

impl Future for Falling<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let context = park::current();
        if !this.fallen {
            let mut state = this.bucket.state.lock();
            if let Some(poison) = state.broken.clone() {
                drop(state);
                give_up(context, poison);
            }
            this.fallen = true;
            // SAFETY: all of it is pinned, and withdrawn by `drop`.
            unsafe {
                this.awaited.stand(waking.waker(), &mut state.waiting, Some(()), false, this);
            }
            return Poll::Pending;
        }
        let Some(outcome) = this.awaited.poll(waking.waker(), this, || this.bucket.state.lock())
        else {
            return Poll::Pending;
        };
        this.awaited.clear(this);
        this.fallen = false;
        let broken = this.bucket.state.lock().broken.clone();
        match broken {
            Some(poison) if outcome == Outcome::Ended => give_up(context, poison),
            _ => context.communicated(),
        }
        Poll::Ready(())
    }
}

impl Drop for Falling<'_> {
    fn drop(&mut self) {
        if self.fallen {
            self.awaited.withdraw(self.bucket.state.lock(), |state| &mut state.waiting);
            self.awaited.clear(self);
        }
    }
}

impl Blocked for Falling<'_> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::FallIn, object: Some(self.bucket) });
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.birth)
    }
}

impl Object for Bucket {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.state).addr()
    }

    fn kind(&self) -> String {
        "bucket".to_owned()
    }

    fn name(&self) -> Option<String> {
        None
    }

    fn birth(&self) -> Place {
        self.birth.into()
    }

    fn needs(&self) -> Needs {
        Needs::Unknown
    }

    fn break_off(&self, poison: &Poison) {
        let mut state = self.state.lock();
        state.broken = Some(poison.clone());
        state.waiting.end_all(true);
    }
}

/// A process at a barrier or in a bucket.
struct Waiting<'a> {
    operation: Operation,
    at: &'a dyn Object,
    place: &'static Location<'static>,
}

impl Blocked for Waiting<'_> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: self.operation, object: Some(self.at) });
    }
}
