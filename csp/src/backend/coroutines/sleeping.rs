//! A scheduler without work: it polls the links, or sleeps until another thread wakes it. See also `quiet`.
//!
//! A scheduler counts as awake while `asleep` is false. The thread that sets `asleep` to false has counted it as awake.

use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use crossbeam_channel::RecvTimeoutError;

use super::coroutine::Coroutine;
use super::scheduler::{Letter, Scheduler};
use crate::system::quiet;
use crate::wait::park;
use crate::wait::seen::links;
use crate::wait::thread::relief::{self, Sleep};

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
            || self.share.is_patient() && self.patience.look(deadline, || !self.letters.is_empty())
        {
            return self.look_outside();
        }
        let _absence = relief::leave(Sleep::until(deadline));
        self.share.rests();
        let Some(deadline) = deadline else { return self.sleep() };
        if let Some(letter) = self.receive(Some(deadline)) {
            self.open(letter);
        }
        self.look_outside();
    }

    /// Waits for the next letter. Returns `None` if the deadline came first.
    pub(super) fn receive(&self, deadline: Option<Instant>) -> Option<Letter> {
        const FREED: &str = "a scheduler is never freed";
        if park::is_late() {
            return loop {
                match self.letters.try_recv() {
                    Ok(letter) => break Some(letter),
                    Err(_) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                        break None;
                    }
                    Err(_) => park::doze(),
                }
            };
        }
        match deadline.map(|deadline| self.letters.recv_deadline(deadline)) {
            None => Some(self.letters.recv().expect(FREED)),
            Some(Ok(letter)) => Some(letter),
            Some(Err(RecvTimeoutError::Timeout)) => None,
            Some(Err(RecvTimeoutError::Disconnected)) => unreachable!("{FREED}"),
        }
    }

    /// Polls the links to other OS processes, if there are any and no thread polls them, until there is work here.
    #[cold]
    pub(super) fn lead(&'static self, deadline: Option<Instant>) -> bool {
        let _absence = relief::leave(Sleep::until(deadline));
        let busy = || !self.ready.is_empty() || !self.letters.is_empty();
        self.leading.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        loop {
            let _ = links::lead(&busy, deadline, &mut || {
                if deadline.is_none() && !self.asleep.load(Ordering::SeqCst) {
                    self.falls_asleep();
                }
            });
            self.wakes_if_ready();
            if !self.asleep.load(Ordering::SeqCst) || self.letters.is_empty() {
                break;
            }
            // The scheduler answers questions while it counts as asleep.
            while !self.has_news()
                && let Ok(letter) = self.letters.try_recv()
            {
                self.open(letter);
            }
        }
        if self.asleep.swap(false, Ordering::SeqCst) {
            quiet::wake();
        }
        self.leading.store(false, Ordering::Relaxed);
        busy() || deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Makes the scheduler look at its inbox, which holds a new letter.
    pub(super) fn look_up(&self) {
        if links::is_linked() {
            // The polling thread sets `leading` and then looks for letters. Here the letter was sent before `leading` is
            // read. So at least one of the two threads sees what the other did.
            fence(Ordering::SeqCst);
            if self.leading.load(Ordering::Relaxed) {
                links::poke();
            }
        }
    }

    pub(super) fn sleep(&'static self) {
        if self.falls_asleep() {
            let since = Instant::now();
            while !self.has_news() {
                if let Some(letter) = self.receive(None) {
                    self.open(letter);
                }
            }
            self.patience.slept(since);
            self.wakes_if_ready();
        }
        self.look_outside();
    }

    /// Counts the scheduler as asleep from now on, unless another thread has woken it already.
    pub(super) fn falls_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let falls = self.letters.is_empty();
        // If a letter came, it does not sleep. Its sender may have counted it as awake already. This balances that count.
        if falls || !self.asleep.swap(false, Ordering::SeqCst) {
            quiet::fall_asleep();
        }
        falls
    }

    /// Returns whether there is something to do for a scheduler that had nothing to do.
    fn has_news(&self) -> bool {
        !self.ready.is_empty() || self.share.has_news()
    }

    /// Counts the scheduler as awake if a coroutine is ready, though it may still have questions to answer.
    pub(super) fn wakes_if_ready(&self) {
        if self.has_news() && self.asleep.swap(false, Ordering::SeqCst) {
            quiet::wake();
        }
    }

    /// Sends a coroutine to be woken. Other threads call this.
    pub(super) fn post(&self, coroutine: &'static Coroutine) {
        // This comes before the letter is sent. After that the letter may have been read, and the scheduler may be
        // properly asleep again. If the scheduler falls asleep only now, it counts itself as awake when it reads
        // the letter. A thread that looks at the scheduler in the meantime reads the letter first.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            quiet::wake();
        }
        self.inbox.send(Some(coroutine)).expect("a scheduler is never freed");
        self.look_up();
    }
}
