//! The life of a process: its function, its children, its outcome.
#![allow(unsafe_code)]

use std::any::Any;
use std::sync::Arc;
use std::task::{self, Poll};

use super::code::Code;
use super::group::Group;
use super::work::{Outcome, Over, There};
use super::{Awaiting, Failure, Options};
use crate::report::termination::{Cause, Poison};
use crate::wait::blocked::Object;
use crate::wait::lineage::Ancestry;
use crate::wait::panics;
use crate::wait::park::{self, Context, Retiring};
use crate::wait::quietly::{self, drop_quietly};

/// Returns the outcome of a process: that of its function, and of all processes that it spawned.
#[inline]
pub(crate) fn live<R>(body: impl FnOnce() -> R) -> Outcome<R> {
    let outcome = judge(catch(body));
    with_children(outcome, Group::wait_for_children())
}

#[inline]
fn catch<R>(body: impl FnOnce() -> R) -> Outcome<R> {
    quietly::catch(body).map_err(|payload| Failure::caught(park::current(), &payload))
}

#[inline]
fn judge<R>(outcome: Outcome<R>) -> Outcome<R> {
    match park::current().deadlock() {
        // The deadlock kept the function from computing its proper result.
        Some(poison) => unless_failed(outcome, || Failure::deadlocked(poison)),
        None => outcome,
    }
}

#[inline]
fn with_children<R>(outcome: Outcome<R>, failure: Option<Failure>) -> Outcome<R> {
    match failure {
        Some(failure) => unless_failed(outcome, || failure),
        None => outcome,
    }
}

/// Puts a failure in the place of a result.
#[cold]
fn unless_failed<R>(outcome: Outcome<R>, failure: impl FnOnce() -> Failure) -> Outcome<R> {
    drop_quietly(outcome?);
    Err(failure())
}

/// Returns the outcome of a process in another OS process. The process holds its arguments until they have been
/// sent.
pub(super) fn live_away<A, R>(
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
        let dropped = quietly::catch(|| drop(arguments));
        let returned = there.end()?;
        if let Err(payload) = dropped {
            payload.resume();
        }
        match (departure.arrive)(&returned) {
            Ok(result) => Ok(result),
            Err(reason) => panic!("its result can't be read: {reason}"),
        }
    };
    live(away).and_then(|outcome| outcome)
}

/// Decides about a process whose future has this outcome: it has ended, or it waits for its children.
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

/// Begins and polls the futures of a job. Their results go to `end`.
pub(super) struct Polling<'a, A, R> {
    pub(super) body: &'a Awaiting<A, R>,
    pub(super) retiring: Retiring,
}

impl<A, R: 'static> Polling<'_, A, R> {
    #[inline]
    pub(super) unsafe fn begin(
        &self,
        arguments: impl FnOnce() -> A,
        place: *mut u8,
        end: impl FnOnce(Outcome<R>),
    ) -> Option<Over> {
        // SAFETY: the caller's promise.
        let begun = catch(|| unsafe { self.body.begin(arguments(), place) });
        begun.err().map(|failure| over(Err(failure), end))
    }

    #[inline]
    pub(super) unsafe fn poll(
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
                // The channel ends that the future still holds are dropped only below, when the process no longer
                // unwinds. They must be poisoned all the same.
                if !self.retiring.on_panic() && !park::current().is_stopped() {
                    park::current().stop(failure.clone().into_poison());
                }
                Err(failure)
            }
        };
        // SAFETY: the caller's promise. The future is over, and is not polled again.
        let _ = panics::apart(|| quietly::catch(|| unsafe { self.body.drop(place) }));
        Poll::Ready(over(outcome, end))
    }

    pub(super) unsafe fn give_up(
        &self,
        place: *mut u8,
        reason: &str,
        end: impl FnOnce(Outcome<R>),
    ) -> Over {
        // SAFETY: the caller's promise.
        let _ = panics::apart(|| quietly::catch(|| unsafe { self.body.drop(place) }));
        over(Err(Failure::unstarted(park::current().path(), reason.to_owned())), end)
    }
}

pub(super) fn ended<R: 'static>(outcome: Box<dyn Any>, failure: Option<Failure>) -> Outcome<R> {
    let outcome = outcome.downcast::<Outcome<R>>().expect("what it came to before");
    with_children(*outcome, failure)
}

pub(super) fn unstarted<A>(arguments: A, reason: &str) -> Failure {
    let context: &Context = park::current();
    let (process, reason) = (context.path(), reason.to_owned());
    let failure = Failure::unstarted(process.clone(), reason.clone());
    // A process with `on_panic = Retire` (one of a farm) only leaves: its ends retire.
    if !context.retiring().on_panic() {
        context.stop(Poison::new(Cause::Unstarted { process, reason }));
    }
    drop_quietly(arguments);
    failure
}

/// The common part of all processes of one job.
pub(super) struct JobHeader {
    pub(super) options: Options,
    pub(super) ancestry: Ancestry,
    pub(super) group: Arc<Group>,
    pub(super) scope: u32,
    pub(super) is_background: bool,
}

impl JobHeader {
    pub(super) fn group(&self) -> usize {
        self.group.address()
    }

    #[inline]
    pub(super) fn new(options: Options, group: Arc<Group>) -> Self {
        let parent = park::current().identity();
        let of = &*parent.of;
        let (scope, is_background) = (of.scope(), options.daemon() || of.is_background());
        Self { options, ancestry: Ancestry::below(parent), group, scope, is_background }
    }
}

/// Implements [`Futures`](super::work::Futures) for a job.
macro_rules! futures {
    ($job:ident, $index:ident, $end:expr) => {
        impl<A: Send + 'static, R: Send + 'static> $job<A, R> {
            fn polling(&self) -> Polling<'_, A, R> {
                let Body::Awaits(body) = &self.code.body else { unreachable!("it is no future") };
                Polling { body, retiring: self.header.options.retiring() }
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

            unsafe fn give_up(&self, $index: usize, place: *mut u8, reason: &str) -> Over {
                let end = |outcome| $end(self, outcome);
                // SAFETY: the caller's promise.
                unsafe { self.polling().give_up(place, reason, end) }
            }

            fn end(&self, $index: usize, outcome: Box<dyn Any>, failure: Option<Failure>) {
                let outcome = ended(outcome, failure);
                $end(self, outcome);
            }
        }
    };
}

pub(super) use futures;
