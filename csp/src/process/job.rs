//! Processes on the way from their start to their results.
#![allow(missing_debug_implementations, reason = "nobody outside sees a job")]
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use super::code::{Code, Entry};
use super::definition::OnPanic;
use super::group::Group;
use super::{Awaiting, Body, Failure, Options, Process, Replicated};
use crate::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::park::{self, Before, Context, Identity, Named};
use crate::place::Place;
use crate::sync::Lock;
use crate::termination::{Cause, Poison};
use crate::waiter::{self, Queue, Seat, Sitting};

/// What a backend runs: `count` processes that are alike.
pub(crate) trait Work: Named {
    fn options(&self) -> &Options;
    fn count(&self) -> usize;
    /// Runs one of them on the calling thread and stack, to its end. Never unwinds.
    fn run(&self, index: usize);
    /// Runs one of them in another OS process, to its end. Never unwinds.
    fn run_away(&self, index: usize, there: &mut dyn There);
    /// Gives one up that can't be started; its arguments are dropped.
    fn refuse(&self, index: usize, reason: &str);
    /// None: they wait; `run` runs them. Else `run` does not, and they are polled.
    fn futures(&self) -> Option<&dyn Futures> {
        None
    }
    /// Whether it is a process to whoever looks; false: only to the backend.
    #[allow(dead_code, reason = "for coroutines")]
    fn is_seen(&self) -> bool {
        true
    }
}

/// Of processes that are futures. Each has a place for its future, and is the one that runs while it is begun or polled.
pub(crate) trait Futures {
    /// How much room one takes.
    fn layout(&self) -> Layout;

    /// Makes the future of one. None: it is there, to be polled.
    ///
    /// # Safety
    /// The place is free, and has room for `layout`.
    unsafe fn begin(&self, index: usize, place: *mut u8) -> Option<Over>;

    /// Polls it. When it is over nothing is left in its place.
    ///
    /// # Safety
    /// It was begun there, has not been moved, and is not over.
    unsafe fn poll(
        &self,
        index: usize,
        place: *mut u8,
        waking: &mut task::Context<'_>,
    ) -> Poll<Over>;

    /// Its children have ended too, perhaps one with a failure; the other is what it had come to.
    fn end(&self, index: usize, outcome: Box<dyn Any>, failure: Option<Failure>);
}

/// The function of a process is over.
pub(crate) enum Over {
    /// And so is the process.
    Whole,
    /// This it has come to, and has children that have not ended.
    Children(Arc<Group>, Box<dyn Any>),
}

/// Runs one process of `work` here.
pub(crate) fn run(work: &Arc<dyn Work>, index: usize) {
    as_process(work, index, || work.run(index));
}

/// Has one process of `work` run in another OS process; here its name is taken by whoever waits for it.
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(crate) fn run_away(work: &Arc<dyn Work>, index: usize, there: &mut dyn There) {
    as_process(work, index, || work.run_away(index, there));
}

/// An OS process that one process is to run in.
pub(crate) trait There {
    /// Before the arguments are packed up, by this process.
    fn prepare(&mut self) -> Result<(), String>;
    /// Begins. An error says why that can't be.
    fn begin(&mut self, entry: &'static Entry, arguments: &[u8]) -> Result<(), String>;
    /// Waits for its end: what it returned, as bytes, or how it failed.
    fn end(&mut self) -> Outcome<Vec<u8>>;
}

/// Gives one process of `work` up that can't be started: its end says why, and so do its channel ends.
pub(crate) fn refuse(work: &Arc<dyn Work>, index: usize, reason: &str) {
    as_process(work, index, || work.refuse(index, reason));
}

/// Does something as a process of `work`.
pub(crate) fn as_process(work: &Arc<dyn Work>, index: usize, f: impl FnOnce()) {
    struct End(&'static Context, Option<Before>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.end(self.1.take().expect("it is dropped once"));
        }
    }
    let context = park::current();
    let retire_on_panic = work.options().on_panic() == OnPanic::Retire;
    let of: *const dyn Work = Arc::as_ptr(work);
    // SAFETY: it is ended before this returns, and the work is borrowed for as long.
    let before = unsafe { context.begin(of, index, retire_on_panic) };
    let _end = End(context, Some(before));
    f();
}

pub(crate) type Outcome<R> = Result<R, Failure>;

/// The outcome of a process: of its function, and of all that it spawned.
pub(crate) fn live<R>(body: impl FnOnce() -> R) -> Outcome<R> {
    let outcome = judge(catch(body));
    with_children(outcome, Group::wait_for_children())
}

fn catch<R>(body: impl FnOnce() -> R) -> Outcome<R> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let failure = Failure::caught(park::current(), &*payload);
        drop_quietly(payload);
        failure
    })
}

fn judge<R>(outcome: Outcome<R>) -> Outcome<R> {
    match (outcome, park::current().deadlock()) {
        // What it returns is not what it was to compute.
        (Ok(result), Some(poison)) => {
            drop_quietly(result);
            Err(Failure::deadlocked(poison))
        }
        (outcome, _) => outcome,
    }
}

fn with_children<R>(outcome: Outcome<R>, failure: Option<Failure>) -> Outcome<R> {
    match failure {
        Some(failure) if outcome.is_ok() => {
            drop_quietly(outcome);
            Err(failure)
        }
        _ => outcome,
    }
}

/// The outcome of a process in another OS process. What it holds is its arguments, until they have been sent.
fn live_away<A, R>(
    code: Code<A, R>,
    arguments: impl FnOnce() -> A,
    there: &mut dyn There,
) -> Outcome<R> {
    let away = || {
        let arguments = arguments();
        let departure = match there.prepare().and_then(|()| code.depart(&arguments)) {
            Ok(departure) => departure,
            Err(reason) => return Err(unstarted(arguments, &reason)),
        };
        if let Err(reason) = there.begin(departure.entry, &departure.arguments) {
            return Err(unstarted(arguments, &reason));
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(arguments)));
        let returned = there.end()?;
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
        match (departure.arrive)(&returned) {
            Ok(result) => Ok(result),
            Err(reason) => panic!("its result can't be read: {reason}"),
        }
    };
    live(away).and_then(|outcome| outcome)
}

/// What becomes of a process whose future has come to this: it has ended, or waits for its children.
fn over<R: 'static>(outcome: Outcome<R>, end: impl FnOnce(Outcome<R>)) -> Over {
    let outcome = judge(outcome);
    match Group::take_children() {
        Some(children) if !children.has_ended() => Over::Children(children, Box::new(outcome)),
        children => {
            let failure = children.and_then(|children| children.take_failure());
            end(with_children(outcome, failure));
            Over::Whole
        }
    }
}

/// Begins and polls the futures of a job, whose results go to `end`.
struct Polling<'a, A, R> {
    body: &'a Awaiting<A, R>,
    retire_on_panic: bool,
}

impl<A, R: 'static> Polling<'_, A, R> {
    unsafe fn begin(
        &self,
        arguments: impl FnOnce() -> A,
        place: *mut u8,
        end: impl FnOnce(Outcome<R>),
    ) -> Option<Over> {
        // SAFETY: the caller's promise.
        let begun = catch(|| unsafe { self.body.begin(arguments(), place) });
        begun.err().map(|failure| over(Err(failure), end))
    }

    unsafe fn poll(
        &self,
        place: *mut u8,
        waking: &mut task::Context<'_>,
        end: impl FnOnce(Outcome<R>),
    ) -> Poll<Over> {
        // SAFETY: the caller's promise.
        let outcome = match catch(|| unsafe { self.body.poll(place, waking) }) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(failure) => {
                // What the future still holds is dropped only now, when it unwinds no longer.
                if !self.retire_on_panic && !park::current().is_stopped() {
                    park::current().stop(failure.clone().into_poison());
                }
                Err(failure)
            }
        };
        // SAFETY: the caller's promise. It is over, and not polled again.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe { self.body.drop(place) }));
        Poll::Ready(over(outcome, end))
    }
}

fn ended<R: 'static>(outcome: Box<dyn Any>, failure: Option<Failure>) -> Outcome<R> {
    let outcome = outcome.downcast::<Outcome<R>>().expect("what it came to before");
    with_children(*outcome, failure)
}

fn unstarted<A>(arguments: A, reason: &str) -> Failure {
    let context: &Context = park::current();
    let (process, reason) = (context.path(), reason.to_owned());
    let failure = Failure::unstarted(process.clone(), reason.clone());
    // One of a farm only leaves it.
    if !context.retires_on_panic() {
        context.stop(Poison::new(Cause::Unstarted { process, reason }));
    }
    drop_quietly(arguments);
    failure
}

/// What is dropped is the user's, and may panic.
pub(crate) fn drop_quietly<T>(value: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

/// What all processes of one job have in common.
struct Header {
    options: Options,
    parent: Identity,
    group: Arc<Group>,
    scope: u32,
}

impl Header {
    fn group(&self) -> usize {
        self.group.address()
    }

    fn new(options: Options, group: Arc<Group>) -> Self {
        let parent = park::current().identity();
        let scope = parent.of.scope();
        Self { options, parent, group, scope }
    }

    fn is_background(&self) -> bool {
        self.options.daemon() || self.parent.of.is_background()
    }

    fn write_parent(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.parent.of.write_path(self.parent.index, out)?;
        out.write_str("/")
    }
}

/// One process.
pub struct Single<A, R> {
    header: Header,
    code: Code<A, R>,
    arguments: Lock<Option<A>>,
    end: Lock<End<R>>,
    place: &'static Location<'static>,
}

struct End<R> {
    outcome: Option<Outcome<R>>,
    ended: bool,
    /// A failure is for who waits for the group: nobody joins this process, or nobody any more.
    unjoined: bool,
    joiner: Seat,
    /// A deadlock: whoever joins does not wait.
    broken: Option<Poison>,
}

impl<A, R> Single<A, R> {
    /// `unjoined`: see [`End`].
    pub(crate) fn new(
        process: Process<A, R>,
        group: Arc<Group>,
        unjoined: bool,
        place: &'static Location<'static>,
    ) -> Self {
        let Process { options, arguments, code } = process;
        let end = End { outcome: None, ended: false, unjoined, joiner: Seat::new(), broken: None };
        let here = options.stays_here();
        Self {
            header: Header::new(options, group),
            code,
            arguments: Lock::owned_if(here, Some(arguments)),
            end: Lock::owned_if(here, end),
            place,
        }
    }

    fn arguments(&self) -> A {
        self.arguments.lock().take().expect("a process is started once")
    }

    fn end(&self, outcome: Outcome<R>) {
        park::current().hide();
        let mut end = self.end.lock();
        let unjoined = end.unjoined;
        let failure = outcome.as_ref().err().filter(|_| unjoined).cloned();
        end.outcome = Some(outcome);
        end.ended = true;
        end.joiner.call();
        drop(end);
        if let Some(failure) = failure {
            self.header.group.fail(failure);
        }
        self.header.group.leave(1);
    }

    /// What it has ended with, or why nobody waits for that.
    fn joined(&self) -> Outcome<R> {
        let mut end = self.end.lock();
        match (end.outcome.take(), end.broken.take()) {
            (Some(outcome), _) => outcome,
            (None, Some(poison)) => {
                end.unjoined = true;
                drop(end);
                park::current().stop(poison.clone());
                Err(Failure::deadlocked(poison))
            }
            (None, None) => unreachable!("a process is joined once"),
        }
    }

    /// The outcome, if it has ended and nobody has taken it.
    pub(crate) fn take_outcome(&self) -> Option<Outcome<R>> {
        self.end.lock().outcome.take()
    }
}

impl<A: Send, R: Send> Named for Single<A, R> {
    fn group(&self) -> usize {
        self.header.group()
    }

    fn is_daemon(&self) -> bool {
        self.header.options.daemon()
    }

    fn is_background(&self) -> bool {
        self.header.is_background()
    }

    fn scope(&self) -> u32 {
        self.header.scope
    }

    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self.header.options.name())
    }

    fn write_path(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        self.header.write_parent(out)?;
        self.write_name(index, out)
    }
}

impl<A: Send + 'static, R: Send + 'static> Work for Single<A, R> {
    fn options(&self) -> &Options {
        &self.header.options
    }

    fn count(&self) -> usize {
        1
    }

    fn run(&self, _: usize) {
        let Body::Waits(body) = self.code.body else { unreachable!("a future is polled") };
        self.end(live(|| body(self.arguments())));
    }

    fn run_away(&self, _: usize, there: &mut dyn There) {
        self.end(live_away(self.code, || self.arguments(), there));
    }

    fn futures(&self) -> Option<&dyn Futures> {
        matches!(self.code.body, Body::Awaits(_)).then_some(self)
    }

    fn refuse(&self, _: usize, reason: &str) {
        self.end(Err(unstarted(self.arguments(), reason)));
    }
}

/// How a process is joined, whatever its arguments were.
pub(crate) trait Joinable<R>: Send + Sync {
    /// Waits for its end.
    fn join(&self, place: &'static Location<'static>) -> Outcome<R>;
    /// Awaits it; `sitting` and `why` are where the caller waits.
    ///
    /// # Safety
    /// Both are pinned, and before they are dropped `leave` is called.
    unsafe fn poll_join(
        &self,
        sitting: &Sitting,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Poll<Outcome<R>>;
    fn leave(&self, sitting: &Sitting, why: &dyn Blocked);
    fn object(&self) -> &dyn Object;
    fn has_ended(&self) -> bool;
    /// Nobody will ask for its outcome.
    fn abandon(&self);
    fn path(&self) -> String;
}

impl<A: Send, R: Send> Joinable<R> for Single<A, R> {
    fn join(&self, place: &'static Location<'static>) -> Outcome<R> {
        let end = self.end.lock();
        if end.ended {
            drop(end);
        } else if std::thread::panicking() {
            drop(end);
            self.abandon();
            return Err(Failure::unwinding(park::current()));
        } else if park::current().is_polled() {
            drop(end);
            self.abandon();
            park::refuse_to_wait("to join a process", "join_async().await");
        } else {
            let why = Joining { process: self, place };
            Seat::wait(park::current(), end, |end| &mut end.joiner, &why);
        }
        self.joined()
    }

    unsafe fn poll_join(
        &self,
        sitting: &Sitting,
        waker: &Waker,
        why: &dyn Blocked,
    ) -> Poll<Outcome<R>> {
        if sitting.sits() {
            if !sitting.poll(waker, why, || self.end.lock(), |end| &mut end.joiner) {
                return Poll::Pending;
            }
            self.leave(sitting, why);
            return Poll::Ready(self.joined());
        }
        let mut end = self.end.lock();
        if end.ended {
            drop(end);
            return Poll::Ready(self.joined());
        }
        if std::thread::panicking() {
            drop(end);
            self.abandon();
            return Poll::Ready(Err(Failure::unwinding(park::current())));
        }
        // SAFETY: the caller's promise.
        unsafe { sitting.sit(waker, &mut end.joiner, why) };
        Poll::Pending
    }

    fn leave(&self, sitting: &Sitting, why: &dyn Blocked) {
        sitting.leave(self.end.lock(), |end| &mut end.joiner, why);
    }

    fn object(&self) -> &dyn Object {
        self
    }

    fn has_ended(&self) -> bool {
        self.end.lock().ended
    }

    fn abandon(&self) {
        let mut end = self.end.lock();
        end.unjoined = true;
        let outcome = end.outcome.take();
        drop(end);
        if let Some(Err(failure)) = outcome {
            self.header.group.fail(failure);
        }
    }

    fn path(&self) -> String {
        Named::path(self, 0)
    }
}

impl<A: Send, R: Send> Object for Single<A, R> {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn kind(&self) -> String {
        "process".to_owned()
    }

    fn name(&self) -> Option<String> {
        Some(Named::path(self, 0))
    }

    fn birth(&self) -> Place {
        self.place.into()
    }

    fn needs(&self) -> Needs {
        Needs::Process(self.address())
    }

    fn break_off(&self, poison: &Poison) {
        let mut end = self.end.lock();
        end.broken = Some(poison.clone());
        end.joiner.call();
    }
}

/// The end of a process, awaited.
pub(crate) struct Join<R> {
    /// None: it was joined.
    process: Option<Arc<dyn Joinable<R>>>,
    sitting: Sitting,
    place: &'static Location<'static>,
}

impl<R> Join<R> {
    pub(crate) fn new(
        process: Option<Arc<dyn Joinable<R>>>,
        place: &'static Location<'static>,
    ) -> Self {
        Self { process, sitting: Sitting::new(), place }
    }
}

impl<R> Future for Join<R> {
    type Output = Outcome<R>;

    fn poll(self: Pin<&mut Self>, waking: &mut task::Context<'_>) -> Poll<Outcome<R>> {
        // SAFETY: what sits stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        let process = this.process.as_ref().expect("a process is joined once");
        // SAFETY: it is pinned, and `drop` leaves.
        let polled = unsafe { process.poll_join(&this.sitting, waking.waker(), this) };
        if polled.is_ready() {
            this.process = None;
        }
        polled
    }
}

impl<R> Drop for Join<R> {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.leave(&self.sitting, self);
            process.abandon();
        }
    }
}

impl<R> Blocked for Join<R> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        let object = self.process.as_ref().map(|process| process.object());
        tell(Want { operation: Operation::Join, object });
    }
}

/// A process that waits for the end of another.
struct Joining<'a, A, R> {
    process: &'a Single<A, R>,
    place: &'static Location<'static>,
}

impl<A: Send, R: Send> Blocked for Joining<'_, A, R> {
    fn place(&self) -> &'static Location<'static> {
        self.place
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Join, object: Some(self.process) });
    }
}

/// `n` processes that are alike. Each gets its arguments when it starts: a clone, the last one the original.
pub struct Replicas<A, R> {
    header: Header,
    code: Code<A, R>,
    clone: fn(&A) -> A,
    count: usize,
    prototype: Lock<Prototype<A>>,
    outcomes: Lock<Vec<Option<Outcome<R>>>>,
}

struct Prototype<A> {
    /// None: they are being cloned.
    arguments: Option<A>,
    /// Those who have not asked for theirs yet.
    left: usize,
    /// Those who have, and come next.
    waiting: Queue<A>,
}

/// The arguments of all, with the one who clones them.
struct Lent<'a, A, R> {
    of: &'a Replicas<A, R>,
    arguments: Option<A>,
}

impl<A, R> Drop for Lent<'_, A, R> {
    fn drop(&mut self) {
        let Some(arguments) = self.arguments.take() else { return };
        let mut prototype = self.of.prototype.lock();
        match prototype.waiting.commit_first() {
            Some(next) => {
                drop(prototype);
                next.put(arguments);
                next.wake();
            }
            None => prototype.arguments = Some(arguments),
        }
    }
}

impl<A, R> Replicas<A, R> {
    pub(crate) fn new(replicated: Replicated<A, R>, group: Arc<Group>) -> Self {
        let Replicated { process: Process { options, arguments, code }, count, clone } = replicated;
        let here = options.stays_here();
        Self {
            header: Header::new(options, group),
            code,
            clone,
            count,
            prototype: Lock::owned_if(
                here,
                Prototype {
                    arguments: (count > 0).then_some(arguments),
                    left: count,
                    waiting: Queue::new(),
                },
            ),
            outcomes: Lock::owned_if(here, (0..count).map(|_| None).collect()),
        }
    }

    /// A clone is made by one process at a time, and under no lock: it is the user's, and may wait for others.
    fn arguments(&self) -> A {
        let mut prototype = self.prototype.lock();
        prototype.left -= 1;
        let is_last = prototype.left == 0;
        let arguments = match prototype.arguments.take() {
            Some(arguments) => {
                drop(prototype);
                arguments
            }
            None => {
                let context = park::current();
                waiter::stand(context, prototype, |it| &mut it.waiting, None, false, self)
                    .value
                    .expect("whoever has the arguments passes them on")
            }
        };
        if is_last {
            return arguments;
        }
        // A clone that panics takes only its own process down.
        let lent = Lent { of: self, arguments: Some(arguments) };
        (self.clone)(lent.arguments.as_ref().expect("they are lent until this is dropped"))
    }

    fn end(&self, index: usize, outcome: Outcome<R>) {
        park::current().hide();
        if let Err(failure) = &outcome {
            self.header.group.fail(failure.clone());
        }
        self.outcomes.lock()[index] = Some(outcome);
        self.header.group.leave(1);
    }

    /// What they have returned, once all have ended.
    pub(crate) fn take_outcomes(&self) -> Vec<Option<Outcome<R>>> {
        std::mem::take(&mut *self.outcomes.lock())
    }
}

/// A replica that waits for the arguments.
impl<A, R> Blocked for Replicas<A, R> {
    fn place(&self) -> &'static Location<'static> {
        Blocked::place(&*self.header.group)
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        tell(Want { operation: Operation::Handover, object: None });
    }
}

impl<A: Send, R: Send> Named for Replicas<A, R> {
    fn group(&self) -> usize {
        self.header.group()
    }

    fn is_daemon(&self) -> bool {
        self.header.options.daemon()
    }

    fn is_background(&self) -> bool {
        self.header.is_background()
    }

    fn scope(&self) -> u32 {
        self.header.scope
    }

    fn write_name(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}[{index}]", self.header.options.name())
    }

    fn write_path(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        self.header.write_parent(out)?;
        self.write_name(index, out)
    }
}

impl<A: Send + 'static, R: Send + 'static> Work for Replicas<A, R> {
    fn options(&self) -> &Options {
        &self.header.options
    }

    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, index: usize) {
        let Body::Waits(body) = self.code.body else { unreachable!("a future is polled") };
        self.end(index, live(|| body(self.arguments())));
    }

    fn run_away(&self, index: usize, there: &mut dyn There) {
        self.end(index, live_away(self.code, || self.arguments(), there));
    }

    fn futures(&self) -> Option<&dyn Futures> {
        matches!(self.code.body, Body::Awaits(_)).then_some(self)
    }

    fn refuse(&self, index: usize, reason: &str) {
        let failure = match catch_unwind(AssertUnwindSafe(|| self.arguments())) {
            Ok(arguments) => unstarted(arguments, reason),
            Err(_) => Failure::unstarted(park::current().path(), reason.to_owned()),
        };
        self.end(index, Err(failure));
    }
}

macro_rules! futures {
    ($job:ident, $index:ident, $end:expr) => {
        impl<A: Send + 'static, R: Send + 'static> $job<A, R> {
            fn polling(&self) -> Polling<'_, A, R> {
                let Body::Awaits(body) = &self.code.body else { unreachable!("it is no future") };
                let on_panic = self.header.options.on_panic();
                Polling { body, retire_on_panic: on_panic == OnPanic::Retire }
            }
        }

        impl<A: Send + 'static, R: Send + 'static> Futures for $job<A, R> {
            fn layout(&self) -> Layout {
                self.polling().body.layout()
            }

            unsafe fn begin(&self, $index: usize, place: *mut u8) -> Option<Over> {
                let end = |outcome| $end(self, outcome);
                // SAFETY: the caller's promise.
                unsafe { self.polling().begin(|| self.arguments(), place, end) }
            }

            unsafe fn poll(
                &self,
                $index: usize,
                place: *mut u8,
                waking: &mut task::Context<'_>,
            ) -> Poll<Over> {
                let end = |outcome| $end(self, outcome);
                // SAFETY: the caller's promise.
                unsafe { self.polling().poll(place, waking, end) }
            }

            fn end(&self, $index: usize, outcome: Box<dyn Any>, failure: Option<Failure>) {
                let outcome = ended(outcome, failure);
                $end(self, outcome);
            }
        }
    };
}

futures!(Single, _index, |job: &Self, outcome| Single::end(job, outcome));
futures!(Replicas, index, |job: &Self, outcome| Replicas::end(job, index, outcome));
