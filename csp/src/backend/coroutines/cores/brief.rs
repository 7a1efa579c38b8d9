//! Brief processes: a scheduler measures some of them, and starts those that are known.

use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::known::Sampled;
use super::loose::Loose;
use super::pool::pool;
use super::share::{Membership, Share, add};
use crate::backend::coroutines::marks;
use crate::backend::coroutines::scheduler::Scheduler;
use crate::backend::coroutines::unstarted::Unstarted;
use crate::process::definition::Habit;
use crate::process::work::Work;

/// One process in so many is measured, as long as processes are short. The number is odd: bursts often have a power of two.
const SAMPLE: u32 = 257;

impl Share {
    /// Counts a process that begins here. Returns whether it is to be measured.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn begins(&self) -> bool {
        add(&self.begun, 1);
        let left = self.until_sample.get().wrapping_sub(1);
        self.until_sample.set(left);
        left == 0
    }

    /// Counts a process that is refused here. It is not measured.
    pub(in crate::backend::coroutines) fn begins_refused(&self) {
        add(&self.begun, 1);
    }

    /// Runs a process, and measures it.
    #[cold]
    #[inline(never)]
    pub(in crate::backend::coroutines) fn run_measured(
        &self,
        scheduler: &Scheduler,
        work: &Arc<dyn Work>,
        index: usize,
    ) {
        let turn = scheduler.turns.load(Ordering::Relaxed);
        self.measures(turn, &**work);
        marks::run(work, index);
        // Another one may be measured by now.
        if self.sampled.get().is_some_and(|sampled| sampled.turn == turn) {
            let is_brief = scheduler.turns.load(Ordering::Relaxed) == turn;
            if let Some(habit) = self.has_measured(is_brief) {
                scheduler.knows(habit);
            }
        }
    }

    /// Returns the stack that the next process wants. `first` returns that of the first process that is not known.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn next_stack(
        &self,
        first: impl Fn() -> Option<usize>,
    ) -> Option<usize> {
        if self.knows_none() {
            return first();
        }
        let known = || self.known.queue().front().map(|first| first.stack);
        if self.is_turn_of_known() { known().or_else(first) } else { first().or_else(known) }
    }

    /// Takes the next process, if a stack of this size suits it. `first` takes the first one that is not known.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn take_next(
        &self,
        stack: usize,
        held: &mut Option<Arc<dyn Work>>,
        first: impl Fn(&mut Option<Arc<dyn Work>>) -> Option<usize>,
    ) -> Option<usize> {
        if self.knows_none() {
            return first(held);
        }
        if self.is_turn_of_known()
            && let Some(index) = self.known.take_one(stack, held)
        {
            return Some(index);
        }
        first(held).or_else(|| self.known.take_one(stack, held))
    }

    /// Returns whether no process is known.
    #[inline(always)]
    pub(in crate::backend::coroutines) fn knows_none(&self) -> bool {
        self.known.count() == 0
    }

    /// Known processes and others take turns.
    fn is_turn_of_known(&self) -> bool {
        self.begun.load(Ordering::Relaxed) & 1 == 0
    }

    /// Queues processes that are known.
    #[cold]
    #[inline(never)]
    pub(in crate::backend::coroutines) fn start_known(&self, unstarted: Unstarted) {
        let count = unstarted.left();
        self.queue_known(unstarted);
        self.work_came(Loose::AtOnce, count);
    }

    /// Queues processes whose locks this thread may own.
    fn queue_known(&self, unstarted: Unstarted) {
        unstarted.work.locks(&mut |lock| lock.give_up());
        self.known.put([unstarted]);
    }

    /// Shows the processes that are known and have not started.
    pub(in crate::backend::coroutines) fn each_known(&self, show: &mut dyn FnMut(&Unstarted)) {
        if self.known.count() > 0 {
            self.known.queue().iter().for_each(show);
        }
    }

    /// Takes all of them out.
    pub(in crate::backend::coroutines) fn take_all_known(&self) -> VecDeque<Unstarted> {
        self.known.take_all()
    }

    /// Begins to measure a process of `work`.
    fn measures(&self, turn: u32, work: &dyn Work) {
        // The last one waits for something.
        let _ = self.has_measured(false);
        let shares = matches!(self.membership.get(), Membership::Member | Membership::Worker);
        let options = work.options();
        if shares && options.on().is_none() && work.is_seen() {
            let habit = options.habit();
            self.sampled.set(Some(Sampled { habit, turn, since: Instant::now() }));
            // If this one waits, the next one shows that.
            self.until_sample.set(if habit.is_worth_a_steal() { 1 } else { SAMPLE });
        } else {
            self.until_sample.set(SAMPLE);
        }
    }

    /// Ends the measurement. Returns the habit if its processes are known from now on.
    fn has_measured(&self, is_brief: bool) -> Option<&'static Habit> {
        let Sampled { habit, since, .. } = self.sampled.take()?;
        let was_worth = habit.is_worth_a_steal();
        let took = if is_brief { since.elapsed().as_nanos().max(1) } else { 0 };
        self.until_sample.set(habit.learn(u64::try_from(took).unwrap_or(u64::MAX), SAMPLE));
        (!was_worth && habit.is_worth_a_steal()).then_some(habit)
    }
}

impl Scheduler {
    /// Notes that processes of this habit are worth a steal. Those that have not started change their queue.
    fn knows(&self, habit: &'static Habit) {
        let mut known = Vec::new();
        let mut queue = self.unstarted.own();
        queue.retain_mut(|unstarted| {
            let is_known = unstarted.loose.is_on_evidence()
                && ptr::eq(unstarted.work.options().habit(), habit);
            if is_known {
                self.share.removed(unstarted.loose, unstarted.left());
                let left = unstarted.left();
                known.push(Unstarted { loose: Loose::AtOnce, ..unstarted.split_off(left) });
            }
            !is_known
        });
        drop(queue);
        if known.is_empty() {
            return;
        }
        known.into_iter().for_each(|it| self.share.queue_known(it));
        pool().search.work_came(&pool());
    }

    /// Takes half of what another scheduler has that is known. Returns whether there was any.
    pub(super) fn takes_known_from(&'static self, victim: &'static Self) -> bool {
        if self.keep_reserve().is_err() {
            return false;
        }
        let taken = victim.share.known.take_half();
        let has_taken = !taken.is_empty();
        self.share.known.put(taken);
        has_taken
    }
}
