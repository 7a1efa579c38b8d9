//! The view of a scheduler, for any thread.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::coroutine::Coroutine;
use super::guest::guest;
use super::questions::{self, HeldScheduler, Questions};
use super::scheduler::{SCHEDULER, Scheduler};
use super::unstarted::Unstarted;
use crate::report::termination::Poison;
use crate::system::thread_id;
use crate::wait::blocked::Blocked;
use crate::wait::future::wakes::Wakes;
use crate::wait::lineage::Identity;
use crate::wait::park::Context;
use crate::wait::seen::agents::{self, Agent, Holder, Lent, Stopped, Turn, Waiting};
use crate::wait::seen::observe::{Activity, Observer, Subject};

impl Scheduler {
    pub(super) fn agent(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Takes in what wakes its processes, and no questions. Its own thread calls this, while it answers one.
    pub(super) fn take_letters(&'static self) {
        self.inbox.take().for_each(Coroutine::wake);
        self.share.take_placed(self);
        if let Some(guest) = guest() {
            guest.take_letters();
        }
    }

    /// Returns what the process of this context waits for, if it belongs to this scheduler and is parked.
    pub(super) fn why(&'static self, context: usize) -> Option<&'static dyn Blocked> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut coroutines = self.host.get().into_iter().chain(all.iter().copied());
        let found =
            coroutines.find(|coroutine| ptr::from_ref(coroutine.context()).addr() == context);
        match found {
            Some(found) => found.context().berth.shown().filter(|_| found.deadline().is_none()),
            None => guest()?.why(context),
        }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Acquire)
    }

    /// Tells which turn this is, and which context has it, if any.
    pub(super) fn turn(&'static self, tell: &mut dyn FnMut(usize, Turn, &dyn Holder)) {
        // SAFETY: a context is never freed.
        let running = unsafe { self.running.load(Ordering::Relaxed).as_ref() };
        let number = self.turns.load(Ordering::Relaxed);
        let Some(context) = running else { return };
        if let Some(who) = context.shown(Identity::who) {
            let holder = HasTurn { scheduler: self, context };
            tell(self.agent(), Turn { who, number }, &holder);
        }
    }

    pub(super) fn is_of_this_thread(&'static self) -> bool {
        SCHEDULER.get().is_some_and(|scheduler| ptr::eq(scheduler, self))
    }

    pub(super) fn questions(&self) -> &Questions {
        &self.questions
    }

    /// Tells the scheduler that there is a question.
    pub(super) fn alert(&self) {
        self.inbox.call(false, self);
    }

    /// Shows its processes. Only its own thread calls this.
    pub(super) fn show(&'static self, observer: &mut dyn Observer) {
        observer.agent(self.agent(), self.share.number());
        let host = self.host.get();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let running = self.running.load(Ordering::Relaxed).cast_const();
        for coroutine in host.into_iter().chain(all) {
            let activity = match coroutine.context().berth.shown() {
                Some(why) => Activity::Blocked { why, deadline: coroutine.deadline() },
                None if ptr::eq(running, coroutine.context()) => Activity::Running,
                None => Activity::Ready,
            };
            observer.process(Subject::Context(coroutine.context()), activity);
        }
        let mut show = |unstarted: &Unstarted| {
            if unstarted.work.is_seen() {
                let first = Identity { of: unstarted.work.clone(), index: unstarted.next };
                observer.unstarted(&first, unstarted.left());
            }
        };
        self.unstarted.look().iter().for_each(&mut show);
        self.share.each_known(&mut show);
        if let Some(guest) = guest() {
            guest.show(observer);
        }
    }

    /// Shows the little that is visible of a scheduler that does not answer: the process that keeps it busy.
    pub(super) fn show_busy(&'static self, observer: &mut dyn Observer) {
        observer.agent(self.agent(), self.share.number());
        let running = self.running.load(Ordering::Relaxed).cast_const();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // SAFETY: a context is never freed.
        if let Some(running) = unsafe { running.as_ref() } {
            observer.process(Subject::Context(running), Activity::Running);
        }
        for other in all.into_iter().filter(|other| !ptr::eq(running, other.context())) {
            observer.process(Subject::Context(other.context()), Activity::Unseen);
        }
    }
}

/// The process that has the turn, seen from another thread. The answers are right if the turn lasts meanwhile,
/// because its thread then does nothing else.
struct HasTurn {
    scheduler: &'static Scheduler,
    context: &'static Context,
}

impl HasTurn {
    fn paths(contexts: impl Iterator<Item = &'static Context>) -> Vec<String> {
        contexts.filter_map(|context| context.shown(|of| of.of.path(of.index))).collect()
    }
}

impl Holder for HasTurn {
    fn path(&self) -> String {
        self.context.shown(|of| of.of.path(of.index)).unwrap_or_default()
    }

    fn is_thread(&self) -> bool {
        ptr::eq(self.context, self.scheduler.own.load(Ordering::Relaxed))
    }

    fn place(&self) -> Option<&'static Location<'static>> {
        self.context.berth.last_place()
    }

    fn thread(&self) -> u32 {
        self.scheduler.thread.load(Ordering::Relaxed)
    }

    fn sleeps(&self) -> bool {
        thread_id::sleeps_in_futex(self.thread())
    }

    fn ready(&self, most: usize) -> Waiting {
        let (first, more) = self.scheduler.ready.look(most);
        let more = more || self.scheduler.inbox.has_nodes();
        Waiting { paths: Self::paths(first.into_iter()), more }
    }

    fn others(&self, most: usize) -> Waiting {
        let all = self.scheduler.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let host = self.scheduler.own.load(Ordering::Relaxed).cast_const();
        // SAFETY: a context is never freed.
        let host = unsafe { host.as_ref() };
        let others = all.into_iter().map(Coroutine::context).chain(host);
        let mut paths = Self::paths(others.filter(|other| !ptr::eq(*other, self.context)));
        let more = paths.len() > most;
        paths.truncate(most);
        Waiting { paths, more }
    }
}

impl Agent for Scheduler {
    fn is_in_use(&self) -> bool {
        Self::is_in_use(self)
    }

    fn address(&self) -> usize {
        self.agent()
    }

    fn stop(&'static self) -> Box<dyn Stopped> {
        Box::new(questions::hold(self))
    }

    fn show_busy(&'static self, observer: &mut dyn Observer) {
        Self::show_busy(self, observer);
    }

    fn turn(&'static self, tell: &mut dyn FnMut(usize, Turn, &dyn Holder)) {
        Self::turn(self, tell);
    }

    fn answer_if_mine(&'static self) {
        if self.is_of_this_thread() {
            self.questions().answer(self);
        }
    }
}

impl Stopped for HeldScheduler {
    fn is_here(&self) -> bool {
        Self::is_here(self)
    }

    fn show(&self, mut observer: Lent) {
        self.run(move |scheduler| {
            scheduler.take_letters();
            scheduler.show(&mut *observer);
        });
    }

    fn still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> usize {
        let contexts = Arc::clone(contexts);
        self.run(move |scheduler| {
            scheduler.take_letters();
            contexts.iter().filter(|&&context| scheduler.why(context).is_some()).count()
        })
    }

    fn break_off(&self, contexts: &Arc<HashSet<usize>>, joins: bool, poison: &Poison) -> Wakes {
        let (contexts, poison) = (Arc::clone(contexts), poison.clone());
        self.run(move |scheduler| {
            let mut later = Wakes::new();
            for &context in &*contexts {
                if let Some(why) = scheduler.why(context) {
                    agents::break_off(why, joins, &poison, &mut later);
                }
            }
            later
        })
    }
}
