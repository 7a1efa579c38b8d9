//! The view of each process that an observer is shown.

use std::time::Instant;

use crate::report::id::Who;
use crate::wait::blocked::Blocked;
use crate::wait::lineage::{Identity, Named, who_is};
use crate::wait::park::{Context, Polled};

/// An observer is shown processes, one after the other, each while it can't change its activity.
pub(crate) trait Observer {
    /// Says that the processes that follow belong to this thread, or scheduler. Schedulers that share work have numbers.
    fn agent(&mut self, agent: usize, number: Option<usize>);
    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>);
    /// Says that this many processes of this name have not started.
    fn unstarted(&mut self, first: &Identity, count: usize);
}

/// A process that is shown.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    Context(&'static Context),
    /// One that is a future, on its own thread.
    Polled(&'a dyn Polled),
}

impl Subject<'_> {
    /// Shows its identity, if it is somebody. See [`Context::shown`].
    pub(crate) fn shown<R>(&self, look: impl FnOnce(&Identity) -> R) -> Option<R> {
        match self {
            Self::Context(context) => context.shown(look),
            Self::Polled(polled) => Some(look(&polled.identity())),
        }
    }

    /// Returns its identity, if it is somebody, with the group that waits for its end and whether
    /// it is a daemon.
    pub(crate) fn known(&self) -> Option<(Who, usize, bool)> {
        let known = |of: &dyn Named, index| (who_is(of, index), of.group(), of.is_daemon());
        match self {
            Self::Context(context) => {
                context.shown(|identity| known(&*identity.of, identity.index))
            }
            Self::Polled(polled) => {
                let (of, index) = polled.named();
                Some(known(of, index))
            }
        }
    }

    /// Returns whether it is hidden. See [`Context::hide`].
    pub(crate) fn is_hidden(&self) -> bool {
        match self {
            Self::Context(context) => context.is_hidden(),
            Self::Polled(_) => false,
        }
    }

    /// Tells it from every other that is alive.
    pub(crate) fn address(&self) -> usize {
        match self {
            Self::Context(context) => std::ptr::from_ref(*context).addr(),
            Self::Polled(polled) => std::ptr::from_ref(*polled).addr(),
        }
    }
}

/// The activity that a process is seen in.
#[derive(Clone, Copy)]
pub(crate) enum Activity<'a> {
    Running,
    /// It could run.
    Ready,
    Blocked {
        why: &'a dyn Blocked,
        deadline: Option<Instant>,
    },
    /// Its thread is busy with another and does not answer. It waits, for something unknown.
    Unseen,
}
