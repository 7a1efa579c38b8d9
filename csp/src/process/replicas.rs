//! A job of many processes that are alike.
#![allow(missing_debug_implementations, reason = "nobody outside sees a job")]
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{self, Poll};

use super::code::Code;
use super::group::Group;
use super::life::{JobHeader, Polling, ended, futures, live, live_away, unstarted};
use super::work::{Futures, Outcome, Over, There, Work};
use super::{Body, Failure, Options, Process, Replicated};
use crate::commit::parcel::Parcel;
use crate::commit::queue::Queue;
use crate::commit::stand;
use crate::commit::waiter::Waiter;
use crate::sync::{Lock, RawLock};
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::lineage::{Ancestry, Named};
use crate::wait::park;
use crate::wait::quietly::{self, drop_each, drop_quietly};

/// A job of `n` processes that are alike. Each gets its arguments when it starts. The last one gets the original,
/// and the others get clones.
pub struct Replicas<A, R> {
    header: JobHeader,
    code: Code<A, R>,
    clone: fn(&A) -> A,
    count: usize,
    prototype: Lock<Prototype<A>>,
    outcomes: Lock<Vec<Option<Outcome<R>>>>,
}

impl<A, R> Drop for Replicas<A, R> {
    fn drop(&mut self) {
        drop_quietly(self.prototype.get_mut().arguments.take());
        drop_each(std::mem::take(self.outcomes.get_mut()));
    }
}

struct Prototype<A> {
    /// `None` while one of the processes clones them.
    arguments: Option<A>,
    /// The number of processes that have not asked for their arguments yet.
    left: usize,
    /// The processes that have asked, in the order in which they are served.
    waiting: Queue<A>,
}

/// The original arguments while one process clones them. Dropping this passes them on.
struct LentArguments<'a, A, R> {
    of: &'a Replicas<A, R>,
    arguments: Option<A>,
}

impl<A, R> Drop for LentArguments<'_, A, R> {
    fn drop(&mut self) {
        let Some(arguments) = self.arguments.take() else { return };
        let mut prototype = self.of.prototype.lock();
        match prototype.waiting.commit_first() {
            Some(next) => {
                drop(prototype);
                next.put(&Parcel::full(arguments));
                next.wake();
            }
            None => prototype.arguments = Some(arguments),
        }
    }
}

impl<A, R> Replicas<A, R> {
    pub(crate) fn new(replicated: Replicated<A, R>, group: Arc<Group>) -> Self {
        let Replicated { process: Process { options, arguments, code }, count, clone } = replicated;
        // The locks of what others take at once have no owner.
        let here = options.stays_here() && !options.is_worth_a_steal();
        Self {
            header: JobHeader::new(options, group),
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

    /// Returns the arguments for one process.
    ///
    /// One process at a time makes a clone, and it holds no lock meanwhile: `clone` is the user's code and may wait
    /// for others.
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
                let (waiter, passed) = (Waiter::single(context), Parcel::empty());
                stand::stand(
                    context,
                    &waiter,
                    prototype,
                    |it| &mut it.waiting,
                    &passed,
                    false,
                    self,
                );
                passed.take().expect("whoever has the arguments passes them on")
            }
        };
        if is_last {
            return arguments;
        }
        // A clone that panics ends only the process that made it.
        let lent = LentArguments { of: self, arguments: Some(arguments) };
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

    /// Takes the results of all processes, once all have ended.
    pub(crate) fn take_outcomes(&self) -> Vec<Option<Outcome<R>>> {
        std::mem::take(&mut *self.outcomes.lock())
    }
}

/// A replica that waits for its arguments is blocked here.
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
        self.header.is_background
    }

    fn scope(&self) -> u32 {
        self.header.scope
    }

    fn write_name(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}[{index}]", self.header.options.name())
    }

    fn ancestry(&self) -> &Ancestry {
        &self.header.ancestry
    }

    fn ancestry_mut(&mut self) -> Option<&mut Ancestry> {
        Some(&mut self.header.ancestry)
    }
}

impl<A: Send + 'static, R: Send + 'static> Work for Replicas<A, R> {
    fn options(&self) -> &Options {
        &self.header.options
    }

    fn count(&self) -> usize {
        self.count
    }

    fn locks(&self, each: &mut dyn FnMut(&dyn RawLock)) {
        each(&self.prototype);
        each(&self.outcomes);
        each(self.header.group.lock());
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
        let failure = match quietly::catch(|| self.arguments()) {
            Ok(arguments) => unstarted(arguments, reason),
            Err(_) => Failure::unstarted(park::current().path(), reason.to_owned()),
        };
        self.end(index, Err(failure));
    }
}

futures!(Replicas, index, |job: &Self, outcome| Replicas::end(job, index, outcome));
