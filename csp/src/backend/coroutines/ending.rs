//! The end of a scheduler, with its thread: what becomes of the daemons that the thread leaves behind.
//!
//! Invariant: no value is lost. From the end on nobody communicates with such a daemon. A value that it was given
//! before has been taken, or goes back.

use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::coroutine::Coroutine;
use super::scheduler::{SCHEDULER, Scheduler, UNUSED};
use super::unstarted::Unstarted;
use crate::process::work;
use crate::wait::blocked::Dismissal;
use crate::wait::event;
use crate::wait::park;
use crate::wait::seen::links;

/// The number of times that the operations of a process are taken back when its thread ends, before the process is
/// left as it is.
const CHANCES: usize = 64;

/// How long a thread that ends waits for other OS processes that it has asked to let its operations go.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of operations that were taken back when the thread ended. See [`Dismissal`].
#[derive(Default)]
struct Dismissed {
    done: usize,
    asked: usize,
    expected: usize,
}

impl Scheduler {
    /// Ends the scheduler because its thread ends. Only daemons are alive now.
    ///
    /// Their operations are taken back, so that nobody communicates with them any more, and they go on to their own
    /// end. A daemon that waits for something else stays as it is for ever. So does its scheduler, since a
    /// coroutine that has started runs on no other thread.
    pub(super) fn end(&'static self) {
        let host = self.host.get().expect("a scheduler that is in use has one");
        self.refuse_unstarted();
        self.end_those_left(host);
        // Some daemons go on all the same. They are left as they are, without an operation. A daemon that was given a
        // value in the last moment takes it.
        for _ in 0..CHANCES {
            self.dismiss_all(true);
            self.look_outside();
            if self.ready.is_empty() {
                break;
            }
            self.run_those_left(host, 1);
        }
        self.dismiss_all(true);
        self.refuse_unstarted();
        self.finish_idle(host);
        self.in_use.store(false, Ordering::Relaxed);
        self.share.leaves(self);
        self.running.store(ptr::null_mut(), Ordering::Relaxed);
        self.timers.clear();
        // Another thread may take over the scheduler, and a third thread the context.
        host.context().queue_at(None);
        SCHEDULER.set(None);
        event::leave();
        if self.live.get() == 0 {
            self.look_outside();
            UNUSED.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }

    /// Finishes the fibers that run no process.
    pub(super) fn finish_idle(&'static self, host: &'static Coroutine) {
        self.ending.set(true);
        let reserve = self.reserve.take().inspect(|_| self.has_reserve.set(false));
        for coroutine in self.idle.take().into_iter().chain(reserve) {
            coroutine.resume(self);
        }
        self.ending.set(false);
        park::switch_to(host.context());
        self.shows_running(host.context());
    }

    /// Runs the ready coroutines until all of them wait, or until each has had so many turns.
    fn run_those_left(&'static self, host: &'static Coroutine, turns: usize) {
        let count = self.all.lock().unwrap_or_else(PoisonError::into_inner).len();
        for _ in 0..turns * (count + 1) {
            self.look_outside();
            match self.ready.pop() {
                Some(context) if ptr::eq(context, self.own.load(Ordering::Relaxed)) => {}
                Some(context) => Coroutine::of(context).resume(self),
                None if self.start_next(true) => {}
                None => break,
            }
        }
        park::switch_to(host.context());
        self.shows_running(host.context());
    }

    /// Takes back the operations of its coroutines, and lets these go on to their end. Returns when no operation is left, or
    /// when they have had their chances.
    fn end_those_left(&'static self, host: &'static Coroutine) {
        let count = self.all.lock().unwrap_or_else(PoisonError::into_inner).len();
        let (mut rounds, mut questions) = (CHANCES, CHANCES * (count + 1));
        let until = Instant::now() + PATIENCE;
        loop {
            self.run_those_left(host, CHANCES);
            let Dismissed { done, asked, expected } = self.dismiss_all(false);
            questions = questions.saturating_sub(asked);
            if done > 0 && rounds > 0 {
                rounds -= 1;
            } else if asked + expected > 0 && questions > 0 && Instant::now() < until {
                self.wait_until(until);
            } else {
                return;
            }
        }
    }

    /// Waits until another thread wakes a coroutine, if none is ready.
    fn wait_until(&'static self, until: Instant) {
        let until = self.timers.next().map_or(until, |next| next.min(until));
        let leads = links::is_linked() && self.lead(Some(until));
        if !leads && self.ready.is_empty() {
            self.sleep_until(Some(until));
        }
        self.look_outside();
    }

    /// Takes back the operations in which its coroutines wait. Returns how many there were. `last` says that no coroutine
    /// goes on.
    fn dismiss_all(&'static self, last: bool) -> Dismissed {
        let mut dismissed = Dismissed::default();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for coroutine in all {
            let context = coroutine.context();
            let Some(why) = context.berth.shown() else { continue };
            let address = ptr::from_ref(context).addr();
            let (mut found, mut tells) = (Dismissal::Nothing, false);
            why.wants(&mut |want| {
                if let (Dismissal::Nothing, Some(object)) = (found, want.object) {
                    found = object.dismiss(address, last);
                    tells |= object.is_telling();
                }
            });
            match found {
                Dismissal::Nothing if tells => dismissed.expected += 1,
                Dismissal::Nothing => {}
                Dismissal::Done => {
                    context.dismiss();
                    dismissed.done += 1;
                }
                Dismissal::Asked => dismissed.asked += 1,
                Dismissal::Expected => dismissed.expected += 1,
            }
        }
        dismissed
    }

    /// Gives up the processes that have not started.
    pub(super) fn refuse_unstarted(&self) {
        let refuse = |Unstarted { work, next, count, .. }: Unstarted| {
            for index in next..count {
                work::refuse(&work, index, "the thread that was to run it has ended");
            }
        };
        loop {
            let mut queue = self.unstarted.own();
            let Some(unstarted) = queue.pop_front() else { break };
            self.share.removed(unstarted.loose, unstarted.left());
            drop(queue);
            refuse(unstarted);
        }
        self.share.take_all_known().into_iter().for_each(refuse);
    }
}
