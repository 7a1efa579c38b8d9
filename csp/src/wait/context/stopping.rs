//! The poison or panic that stops a process, and the legacy of its ends.

use super::{Context, Retiring, ReturnedError};
use crate::report::termination::{Cause, Poison, Termination};
use crate::wait::panics;

impl Context {
    /// Returns the poison that it has met, if it has not communicated since.
    pub(crate) fn poison(&self) -> Option<Poison> {
        self.stopping.borrow().clone()
    }

    /// Returns the deadlock that has stopped the process, if one has and it has not communicated
    /// since.
    #[inline]
    pub(crate) fn deadlock(&self) -> Option<Poison> {
        if self.berth.stopped.get() { self.stopping_deadlock() } else { None }
    }

    #[cold]
    fn stopping_deadlock(&self) -> Option<Poison> {
        let stopping = self.stopping.borrow();
        let met = stopping.as_ref().filter(|_| self.returned.get() != ReturnedError::Poison);
        met.filter(|poison| matches!(poison.cause(), Cause::Deadlock(_))).cloned()
    }

    /// Notes that the process has communicated: it got over any poison that it met.
    #[inline(always)]
    pub(crate) fn communicated(&self) {
        if self.berth.stopped.get() {
            self.recover();
        }
    }

    /// Forgets the poison or panic that it met, except if the process unwinds. Then it has not got
    /// over its panic, even if it still communicates.
    #[cold]
    pub(in crate::wait) fn recover(&self) {
        if std::thread::panicking() {
            return;
        }
        panics::forget();
        self.berth.stopped.set(false);
        self.returned.set(ReturnedError::Nothing);
        self.stopping.replace(None);
    }

    /// Notes that the process has met the end of a channel.
    #[cold]
    pub(crate) fn met(&self, termination: &Termination) {
        if let Termination::Poisoned(poison) = termination {
            self.stop(poison.clone());
        }
    }

    /// Returns whether a poison stops it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.berth.stopped.get() && self.stopping.borrow().is_some()
    }

    /// Notes that the hook has seen a panic of it. The panic is forgotten when the process next
    /// communicates or ends, as a poison would be.
    pub(crate) fn has_panicked(&self) {
        self.berth.stopped.set(true);
    }

    pub(crate) fn stop(&self, poison: Poison) {
        self.stopping.replace(Some(poison));
        self.returned.set(ReturnedError::Nothing);
        self.berth.stopped.set(true);
    }

    /// Notes that the process returns this end of a channel, which decides about its own ends.
    ///
    /// A deadlock that has stopped the process remains, because the process has no proper result then.
    pub(crate) fn returns(&self, ended: Termination) {
        if self.deadlock().is_some() {
            self.returned.set(ReturnedError::InDeadlock);
            return;
        }
        match ended {
            Termination::Retired => self.recover(),
            Termination::Poisoned(poison) => {
                self.stop(poison);
                self.returned.set(ReturnedError::Poison);
            }
        }
    }

    /// Returns the failures at which its ends retire.
    pub(crate) fn retiring(&self) -> Retiring {
        self.retiring.get()
    }

    /// Returns what an end dropped now leaves behind: the poison that stops the process, or
    /// retirement.
    pub(crate) fn legacy(&self) -> Termination {
        // A process never waits while it unwinds, so a thread that panics means: this process does.
        if std::thread::panicking() {
            return match self.retiring.get().on_panic() {
                true => Termination::Retired,
                false => Termination::Poisoned(self.panic_poison()),
            };
        }
        if !self.berth.stopped.get() {
            return Termination::Retired;
        }
        panics::forget();
        match &*self.stopping.borrow() {
            Some(poison) => Termination::Poisoned(poison.clone()),
            None => Termination::Retired,
        }
    }

    /// Returns what an end leaves behind that a task of another executor may drop here. A process that is a future, and polls the
    /// task by itself, leaves what its other ends leave. So does a process that has returned an error, because only its arguments are
    /// dropped from then on. Otherwise nothing counts but a panic that unwinds now, because the thread may have run other tasks before.
    pub(crate) fn legacy_of_task(&self) -> Termination {
        if self.is_polled() || self.returned.get() != ReturnedError::Nothing {
            return self.legacy();
        }
        if !std::thread::panicking() {
            panics::forget();
            return Termination::Retired;
        }
        match self.retiring.get().on_panic() {
            true => Termination::Retired,
            false => Termination::Poisoned(self.panic_poison_of_task()),
        }
    }

    /// Returns the poison of the panic that unwinds a task. Nothing of it stays with the process of this thread.
    fn panic_poison_of_task(&self) -> Poison {
        panics::poison_of_task(std::ptr::from_ref(self).addr(), self.path())
    }

    /// Returns the poison of the panic that unwinds this process: one for all its ends.
    pub(crate) fn panic_poison(&self) -> Poison {
        // Most likely it panics because of this poison, so others are to hear of it too.
        if let Some(poison) = &*self.stopping.borrow()
            && matches!(poison.cause(), Cause::Deadlock(_))
        {
            return poison.clone();
        }
        let poison = panics::poison(std::ptr::from_ref(self).addr(), || self.path());
        // An executor on a plain thread catches the panic of a task, and the ends that others drop have nothing to do with it.
        let is_thread = || self.shown(|identity| identity.of.is_thread()) == Some(true);
        if self.is_polled() || !is_thread() {
            self.stop(poison.clone());
        }
        poison
    }
}

/// Returns the result that operations of an unwinding process have instead of waiting: it must not
/// wait for others.
#[inline(always)]
pub(crate) fn unwinding(context: &Context) -> Option<Termination> {
    #[cold]
    fn instead(context: &Context) -> Termination {
        Termination::Poisoned(context.panic_poison())
    }
    std::thread::panicking().then(|| instead(context))
}

/// Does the same for a task of another executor, which may have run on this thread by chance.
#[inline(always)]
pub(crate) fn unwinding_task(context: &Context) -> Option<Termination> {
    #[cold]
    fn instead(context: &Context) -> Termination {
        Termination::Poisoned(context.panic_poison_of_task())
    }
    std::thread::panicking().then(|| instead(context))
}
