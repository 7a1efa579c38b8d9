//! A scheduler without work: it polls the links, or sleeps until another thread wakes it. See also `quiet`.
//!
//! It counts as asleep while its inbox says so. If one of its processes waits for a descriptor, it sleeps in its event queue.

use std::time::Instant;

use super::scheduler::{Scheduler, TURNS};
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

    fn call_away(&self) {
        self.events.wake();
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
        if !self.events.is_awaited()
            && (links::is_linked() && self.lead(deadline)
                || self.share.is_patient()
                    && self.patience.look(deadline, || !self.inbox.is_empty()))
        {
            return self.look_outside();
        }
        let _absence = relief::leave(Sleep::until(deadline));
        self.share.rests();
        match deadline {
            None => self.sleep(),
            Some(_) => self.sleep_until(deadline),
        }
        self.look_outside();
    }

    /// Sleeps until something is in the inbox, a descriptor is ready for one of its processes, or the deadline comes.
    #[inline(always)]
    pub(super) fn sleep_until(&'static self, deadline: Option<Instant>) {
        match self.events.is_awaited() {
            false => self.inbox.sleep(deadline),
            true => self.sleep_in_queue(deadline),
        }
    }

    #[cold]
    fn sleep_in_queue(&'static self, deadline: Option<Instant>) {
        self.inbox.sleep_by(|| self.events.wait(deadline));
        self.events.deliver(|| self.inbox.wakes(self));
    }

    /// Looks into the event queue, if the last look was some time ago, while a process waits there. The clock decides, so this is done in
    /// each turn. The scheduler looks at the rest as often as otherwise.
    #[cold]
    pub(super) fn look_at_events(&'static self, turn: u32) {
        self.looks.set(turn.wrapping_add(1));
        if self.events.is_due() {
            self.events.look(|| ());
        }
        // It may be the turn of a time when no process waited for an event.
        let left = self.rest_looks.get().wrapping_sub(turn);
        if left == 0 || left > TURNS {
            let next = self.look(turn);
            self.rest_looks.set(turn.wrapping_add(next));
        }
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
                self.sleep_until(None);
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
