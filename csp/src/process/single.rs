//! A job of one process, which may be joined.
#![allow(missing_debug_implementations, reason = "nobody outside sees a job")]
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use super::code::Code;
use super::group::Group;
use super::join::{Joinable, Progress};
use super::life::{JobHeader, Polling, ended, futures, live, live_away, unstarted};
use super::work::{Futures, Grip, Outcome, Over, There, Work};
use super::{Backend, Body, Failure, Options, Process};
use crate::commit::awaited::Sitting;
use crate::commit::queue::Queue;
use crate::commit::seat::Seat;
use crate::commit::stand::Standing;
use crate::commit::waiter::Waiter;
use crate::report::place::Place;
use crate::report::termination::{Poison, Termination};
use crate::sync::{Lock, RawLock};
use crate::wait::blocked::{Blocked, Needs, Object, Operation, Want};
use crate::wait::future::wakes::Wakes;
use crate::wait::lineage::{Ancestry, Named};
use crate::wait::park;
use crate::wait::quietly::drop_quietly;

/// A job of one process.
pub struct Single<A, R> {
    header: JobHeader,
    code: Code<A, R>,
    arguments: Lock<Option<A>>,
    end: Lock<Conclusion<R>>,
    place: &'static Location<'static>,
    /// For a process in another OS process.
    grip: Option<Arc<Grip>>,
}

struct Conclusion<R> {
    outcome: Option<Outcome<R>>,
    ended: bool,
    /// A failure goes to the waiter for the group, because nobody joins this process, or nobody will any more.
    unjoined: bool,
    joiner: Seat,
    /// Choices that have a guard for the end.
    watchers: Queue<()>,
    /// A deadlock has ended the join: the joiner does not wait.
    broken: Option<Poison>,
}

impl<R> Conclusion<R> {
    fn now(&self) -> Progress {
        match (self.ended, &self.outcome, &self.broken) {
            (true, Some(_), _) => Progress::Ended,
            (true, None, _) => Progress::Joined,
            (false, _, Some(_)) => Progress::Broken,
            (false, _, None) => Progress::Runs,
        }
    }
}

impl<A, R> Drop for Single<A, R> {
    fn drop(&mut self) {
        if let Some(arguments) = self.arguments.get_mut().take() {
            drop_quietly(arguments);
        }
        if let Some(outcome) = self.end.get_mut().outcome.take() {
            drop_quietly(outcome);
        }
    }
}

impl<A, R> Single<A, R> {
    /// Makes the job. `unjoined` is explained at [`Conclusion`].
    #[inline]
    pub(crate) fn new(
        process: Process<A, R>,
        group: Arc<Group>,
        unjoined: bool,
        place: &'static Location<'static>,
    ) -> Self {
        let Process { options, arguments, code } = process;
        let (joiner, watchers) = (Seat::new(), Queue::new());
        let end =
            Conclusion { outcome: None, ended: false, unjoined, joiner, watchers, broken: None };
        // The locks of what others take at once have no owner.
        let here = options.stays_here() && !options.is_worth_a_steal();
        let away = options.on() == Some(Backend::Subprocess);
        Self {
            header: JobHeader::new(options, group),
            code,
            arguments: Lock::owned_if(here, Some(arguments)),
            end: Lock::owned_if(here, end),
            place,
            grip: away.then(Arc::default),
        }
    }

    fn arguments(&self) -> A {
        self.arguments.lock().take().expect("a process is started once")
    }

    fn end(&self, outcome: Outcome<R>) {
        park::current().hide();
        let mut later = Wakes::new();
        let mut end = self.end.lock();
        let unjoined = end.unjoined;
        let failure = outcome.as_ref().err().filter(|_| unjoined).cloned();
        end.outcome = Some(outcome);
        end.ended = true;
        end.joiner.call(&mut later);
        while let Some(watcher) = end.watchers.commit_first() {
            watcher.wake_later(&mut later);
        }
        drop(end);
        drop(later);
        if let Some(failure) = failure {
            self.header.group.fail(failure);
        }
        self.header.group.leave(1);
    }

    /// Takes the outcome, or returns the deadlock because of which nobody waits for it.
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
            (None, None) => {
                drop(end);
                panic!("a process is joined once: a guard has taken its result already")
            }
        }
    }

    /// Takes the outcome, if the process has ended and nobody has taken it.
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
        self.header.is_background
    }

    fn scope(&self) -> u32 {
        self.header.scope
    }

    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self.header.options.name())
    }

    fn ancestry(&self) -> &Ancestry {
        &self.header.ancestry
    }

    fn ancestry_mut(&mut self) -> Option<&mut Ancestry> {
        Some(&mut self.header.ancestry)
    }
}

impl<A: Send + 'static, R: Send + 'static> Work for Single<A, R> {
    fn options(&self) -> &Options {
        &self.header.options
    }

    fn count(&self) -> usize {
        1
    }

    fn locks(&self, each: &mut dyn FnMut(&dyn RawLock)) {
        each(&self.arguments);
        each(&self.end);
        each(self.header.group.lock());
    }

    fn grip(&self) -> Option<&Arc<Grip>> {
        self.grip.as_ref()
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

impl<A: Send, R: Send> Joinable<R> for Single<A, R> {
    fn join(&self, place: &'static Location<'static>) -> Outcome<R> {
        let end = self.end.lock();
        if end.ended {
            drop(end);
        } else if std::thread::panicking() {
            drop(end);
            self.abandon();
            return Err(Failure::unwinding(park::current()));
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
        // A caller that is registered already only asks whether it was woken.
        if sitting.sits() {
            if !sitting.poll(waker, why, || self.end.lock(), |end| &mut end.joiner) {
                return Poll::Pending;
            }
            self.leave(sitting, why);
            return Poll::Ready(self.joined());
        }
        // The process may have ended, or the caller may be unable to wait.
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
        // Registers the caller as the joiner.
        // SAFETY: the caller's promise.
        unsafe { sitting.sit(waker, &mut end.joiner, why) };
        drop(end);
        match sitting.is_strange() {
            // If the waker is of no process of this thread, the registration does not know it yet.
            // SAFETY: the caller's promise.
            true => unsafe { self.poll_join(sitting, waker, why) },
            false => Poll::Pending,
        }
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
        match outcome {
            Some(Err(failure)) => self.header.group.fail(failure),
            result => drop_quietly(result),
        }
    }

    fn path(&self) -> String {
        Named::path(self, 0)
    }

    fn grip(&self) -> Option<&Arc<Grip>> {
        self.grip.as_ref()
    }

    fn lock(&self) -> &dyn RawLock {
        &self.end
    }

    fn now(&self) -> Progress {
        self.end.lock().now()
    }

    unsafe fn now_locked(&self) -> Progress {
        // SAFETY: the caller holds the lock.
        unsafe { self.end.held() }.now()
    }

    unsafe fn stand(&self, standing: &Standing<()>, waiter: &Waiter, index: u32) {
        // SAFETY: the caller holds the lock.
        let end = unsafe { self.end.held() };
        // A guard that is left out is not counted.
        if end.now() == Progress::Runs {
            // SAFETY: the caller's promise.
            unsafe { standing.stand(&mut end.watchers, waiter, index, false) };
        }
    }

    fn withdraw(&self, standing: &Standing<()>) {
        standing.withdraw(&mut self.end.lock().watchers);
    }

    fn take(&self) -> Option<Outcome<R>> {
        self.take_outcome()
    }

    fn give_back(&self, outcome: Outcome<R>) {
        self.end.lock().outcome = Some(outcome);
    }

    fn why_never(&self) -> Option<Termination> {
        let end = self.end.lock();
        match end.now() {
            Progress::Runs | Progress::Ended => None,
            Progress::Joined => Some(Termination::Retired),
            Progress::Broken => end.broken.clone().map(Termination::Poisoned),
        }
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

    fn break_off(&self, poison: &Poison, later: &mut Wakes) {
        let mut end = self.end.lock();
        end.broken = Some(poison.clone());
        end.joiner.call(later);
        end.watchers.end_all(true, later);
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

futures!(Single, _index, |job: &Self, outcome| Single::end(job, outcome));
