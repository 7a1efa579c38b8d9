//! A scheduler without work: it polls the links, or sleeps until another thread wakes it. See also `quiet`.
//!
//! It counts as asleep while its inbox says so.

use std::time::Instant;

use super::scheduler::Scheduler;
use crate::sync::inbox::Keeper;
use crate::system::quiet;
use crate::wait::seen::links;
use crate::wait::thread::relief::{self, Sleep};

impl Keeper for Scheduler {
    fn wakes(&self) {
        quiet::wake();
    }

    fn falls_asleep(&self) {
        quiet::fall_asleep();
    }

    fn poke(&self) {
        links::poke();
    }
}

impl Scheduler {
    /// Waits for another thread or for a deadline, because nothing is ready.
    pub(super) fn wait(&'static self) {
        let deadline = self.timers.next();
        if !self.share.finds_work(self, deadline) {
            self.wait_for_others(deadline);
            self.share.goes_on(self);
        }
    }

    #[inline(always)]
    fn wait_for_others(&'static self, deadline: Option<Instant>) {
        if links::is_linked() && self.lead(deadline)
            || self.share.is_patient() && self.patience.look(deadline, || !self.inbox.is_empty())
        {
            return self.look_outside();
        }
        let _absence = relief::leave(Sleep::until(deadline));
        self.share.rests();
        match deadline {
            None => self.sleep(),
            Some(_) => self.inbox.sleep(deadline),
        }
        self.look_outside();
    }

    /// Polls the links to other OS processes, if there are any and no thread polls them, until there is work here.
    #[cold]
    pub(super) fn lead(&'static self, deadline: Option<Instant>) -> bool {
        let _absence = relief::leave(Sleep::until(deadline));
        let busy = || !self.ready.is_empty() || !self.inbox.is_empty();
        self.inbox.polls();
        loop {
            let _ = links::lead(&busy, deadline, &mut || {
                if deadline.is_none() {
                    self.inbox.falls_asleep(self);
                }
            });
            self.wakes_if_ready();
            if !self.inbox.is_asleep() || self.inbox.is_empty() {
                break;
            }
            // The scheduler answers questions while it counts as asleep.
            self.open_inbox();
        }
        self.inbox.wakes(self);
        self.inbox.stops_polling();
        busy() || deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Sleeps until there is something to do. The scheduler answers questions meanwhile, and counts as asleep.
    fn sleep(&'static self) {
        let since = Instant::now();
        let mut slept = false;
        while !self.has_news() {
            if self.inbox.falls_asleep(self) {
                self.inbox.sleep(None);
                slept = true;
            }
            self.open_inbox();
        }
        if slept {
            self.patience.slept(since);
        }
        self.wakes_if_ready();
    }

    /// Returns whether there is something to do for a scheduler that had nothing to do.
    fn has_news(&self) -> bool {
        !self.ready.is_empty() || self.share.has_news()
    }

    /// Counts the scheduler as awake if a coroutine is ready, though it may still have questions to answer.
    pub(super) fn wakes_if_ready(&self) {
        if self.has_news() {
            self.inbox.wakes(self);
        }
    }
}
