//! The state of a process that is a future, between two polls.

use std::sync::Arc;

use super::{Context, Retiring, ReturnedError};
use crate::report::termination::Poison;
use crate::wait::panics;
use crate::wait::parking::{Children, Polled};
use crate::wait::turns::Table;

/// The state that a process that is a future carries from one poll to the next, if it has any of
/// it.
#[derive(Default)]
pub(crate) struct Kept {
    stopping: Option<Poison>,
    wheels: Table,
    children: Option<Arc<dyn Children>>,
}

impl Context {
    /// Makes `polled` the process that runs here, with `kept` as the state that it has kept.
    #[inline(always)]
    pub(crate) fn resume(
        &self,
        polled: &'static dyn Polled,
        kept: Option<&mut Kept>,
        retiring: Retiring,
    ) {
        self.polled.set(Some(polled));
        self.berth.polls.set(true);
        self.retiring.set(retiring);
        if let Some(kept) = kept {
            self.restore(kept);
        }
    }

    #[inline(never)]
    fn restore(&self, Kept { stopping, wheels, children }: &mut Kept) {
        self.berth.stopped.set(stopping.is_some());
        self.stopping.replace(stopping.take());
        if wheels.used.get() {
            self.wheels.table().swap(wheels);
        }
        self.children.replace(children.take());
    }

    /// Ends the poll of the process. Returns the state it is to keep, if any.
    #[inline]
    pub(crate) fn suspend(&self) -> Option<Kept> {
        self.polled.set(None);
        self.berth.polls.set(false);
        let kept = self.berth.stopped.get()
            || self.wheels.used().is_some()
            || self.children.borrow().is_some();
        kept.then(|| self.keep())
    }

    #[cold]
    fn keep(&self) -> Kept {
        let stopped = self.berth.stopped.replace(false);
        if stopped {
            panics::forget();
            self.returned.set(ReturnedError::Nothing);
        }
        let kept = Kept {
            stopping: self.stopping.take().filter(|_| stopped),
            wheels: Table::default(),
            children: self.children.take(),
        };
        if let Some(used) = self.wheels.used() {
            used.swap(&kept.wheels);
        }
        kept
    }

    /// Returns whether the process that runs is a future: it awaits and does not wait.
    #[inline(always)]
    pub(crate) fn is_polled(&self) -> bool {
        self.berth.polls.get()
    }
}
