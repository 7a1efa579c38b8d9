//! Workers without work: they search, and take processes that have not started from schedulers that are busy.
//!
//! Invariant: a thief is counted as awake from before it takes something until that is in its queue, and answers no question
//! in between. So nobody finds all asleep while processes are under way.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::evidence::Meter;
use super::pool::pool;
use super::share::{Membership, Share};
use crate::backend::coroutines::scheduler::Scheduler;
use crate::backend::coroutines::unstarted::Unstarted;
use crate::sync::search::Roster as _;
use crate::sync::stealing::heavy_barrier;
use crate::system::forked;

/// How long a worker looks for work before it naps.
const LOOK: Duration = Duration::from_micros(60);

/// The first nap, and the longest one. A nap and not a yield, because a thread that yields was seen to stay on its victim's core.
const NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(2);

/// After this many looks at which there was nothing to take, the worker sleeps.
const IN_VAIN: u32 = 4;

std::thread_local! {
    /// The evidence that this thread has.
    static METER: RefCell<Meter> = const { RefCell::new(Meter::new()) };
}

/// The end of a look.
enum Looked {
    /// The worker has taken something.
    Found,
    /// Something came for the worker itself.
    Disturbed,
    Nothing,
    /// The same, and another worker searches.
    Lost,
}

impl Share {
    /// Returns whether the scheduler looks for its partners before it sleeps. A worker has done so when it searched.
    pub(in crate::backend::coroutines) fn is_patient(&self) -> bool {
        !self.is_worker()
    }

    /// Searches for work, if the scheduler is a worker's. Returns whether there is something to do. If not, the worker is idle. It is a
    /// call of its own, because the loop of the scheduler would keep fewer values in registers beside it.
    #[cold]
    #[inline(never)]
    pub(in crate::backend::coroutines) fn finds_work(
        &self,
        worker: &'static Scheduler,
        deadline: Option<Instant>,
    ) -> bool {
        self.news.set(false);
        debug_assert!(self.counts_all(&worker.unstarted.look()), "a process was counted wrongly");
        worker.ready.set_spare(true);
        let found = self.is_worker() && self.finds_work_for(worker, deadline);
        if found {
            worker.ready.set_spare(false);
        }
        found
    }

    fn finds_work_for(&self, worker: &'static Scheduler, deadline: Option<Instant>) -> bool {
        // A worker with processes that wait for others looks for these first, because such a wait is mostly short.
        if self.alive() > 0
            && !worker.events.is_awaited()
            && worker.patience.look(deadline, || !worker.inbox.is_empty())
        {
            pool().rises(self);
            worker.look_outside();
            return true;
        }
        let pool = pool();
        // A worker that was only asked something looks no further, if there is nothing. One that has worked searches before it
        // gives its core back.
        let looks = || (self.busy.get() || pool.has_work()) && pool.search.begin();
        let mut searches = self.searches.replace(false) || looks();
        pool.rests(self, searches);
        loop {
            if searches {
                match self.look(worker, deadline) {
                    Looked::Found => return true,
                    Looked::Disturbed => {
                        pool.search.end();
                        heavy_barrier();
                        pool.search.find_one(&pool);
                        pool.rises(self);
                        worker.look_outside();
                        return true;
                    }
                    Looked::Nothing => {}
                    Looked::Lost => searches = false,
                }
            }
            if !pool.search.rest(&self.station, searches, &pool) {
                return false;
            }
            searches = true;
        }
    }

    /// Looks for work, and naps in between, as long as there may be some.
    fn look(&self, worker: &'static Scheduler, deadline: Option<Instant>) -> Looked {
        let pool = pool();
        let (mut nap, mut in_vain) = (NAP, 0);
        METER.with_borrow_mut(Meter::begins);
        loop {
            let began = Instant::now();
            while began.elapsed() < LOOK {
                if worker.events.is_awaited() {
                    worker.events.look(|| ());
                }
                if !worker.inbox.is_empty() || !worker.ready.is_empty() {
                    return Looked::Disturbed;
                }
                let has_known = |it: &&Scheduler| it.share.known.count() > 0;
                if let Some(victim) = pool.members().find(has_known)
                    && pool.take_core()
                {
                    if worker.takes_known_from(victim) {
                        self.busy.set(true);
                        self.generation.set(forked::generation());
                        pool.search.pass_on(&pool);
                        return Looked::Found;
                    }
                    pool.give_core_back();
                }
                if let Some(victim) = METER.with_borrow_mut(|meter| meter.victim(worker, pool))
                    && pool.take_core()
                {
                    pool.search.end();
                    if worker.takes_from(victim) {
                        METER.with_borrow_mut(|meter| meter.took(victim, worker));
                        self.busy.set(true);
                        self.generation.set(forked::generation());
                        pool.search.find_one(&pool);
                        return Looked::Found;
                    }
                    pool.give_core_back();
                    // It has passed the barrier, so another one that searches by now has seen what there is.
                    if !pool.search.begin() {
                        return Looked::Lost;
                    }
                }
                // Not by a yield: a core that others want would come back only after their turn.
                (0..16).for_each(|_| std::hint::spin_loop());
            }
            let may_find = pool.members().any(|it| it.share.spare() > 0);
            in_vain = if may_find { 0 } else { in_vain + 1 };
            // A nap would see no event, unlike the sleep that follows.
            let naps = !worker.events.is_awaited();
            if in_vain == IN_VAIN || !naps || may_find && !pool.has_core() {
                return Looked::Nothing;
            }
            let until = Instant::now() + nap;
            let until = deadline.map_or(until, |deadline| deadline.min(until));
            nap = (nap * 2).min(LONGEST_NAP);
            worker.inbox.sleep(Some(until));
            if !worker.inbox.is_empty() {
                return Looked::Disturbed;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Looked::Disturbed;
            }
        }
    }

    /// Says that the scheduler is about to sleep. A worker has said so already.
    #[cold]
    #[inline(never)]
    pub(in crate::backend::coroutines) fn rests(&self) {
        if self.membership.get() == Membership::Member {
            pool().rests(self, false);
        }
    }

    /// Says that the scheduler is awake again.
    #[cold]
    #[inline(never)]
    pub(in crate::backend::coroutines) fn goes_on(&self, scheduler: &'static Scheduler) {
        scheduler.ready.set_spare(false);
        match self.membership.get() {
            Membership::Unknown | Membership::Alone => return,
            Membership::Member => return pool().rises(self),
            Membership::Worker => {}
        }
        let pool = pool();
        self.searches.set(self.station.rise());
        if scheduler.ready.is_empty() && scheduler.unstarted.look().is_empty() && self.knows_none()
        {
            return;
        }
        // It has something to do, so another one searches.
        pool.rises(self);
        if self.searches.replace(false) {
            pool.search.end();
            heavy_barrier();
            pool.search.find_one(&pool);
        }
    }
}

impl Scheduler {
    /// Takes processes from a scheduler that has not started them. Returns whether there were any.
    fn takes_from(&'static self, victim: &'static Self) -> bool {
        if self.keep_reserve().is_err() {
            return false;
        }
        let (mine, theirs) = (self.share.load(), &victim.share);
        let taken = victim.unstarted.take(|queue| {
            let jobs = queue.len();
            let taken = Self::part_of(queue, mine, theirs.load());
            theirs.stolen(jobs - queue.len(), taken.iter().map(Unstarted::left).sum());
            taken
        });
        if taken.is_empty() {
            return false;
        }
        take_locks(&taken);
        let mut queue = self.unstarted.own();
        for unstarted in taken {
            self.share.queued(unstarted.loose, unstarted.left());
            queue.push_back(unstarted);
        }
        true
    }

    /// Takes out of a queue what suits a thief that has `mine` processes, beside a victim that has `theirs`.
    fn part_of(queue: &mut VecDeque<Unstarted>, mine: usize, theirs: usize) -> Vec<Unstarted> {
        let left = |it: &Unstarted| if it.loose.is_on_evidence() { it.left() } else { 0 };
        let replicas = queue.iter().map(left).max().unwrap_or(0);
        // Half of some replicas, and a fifth more, up to two: the starter may have to feed them. Else so many that both
        // have as many.
        let takes_replicas = replicas > 1 && theirs > mine;
        let mut wanted = match takes_replicas {
            true => (replicas * 5 + (replicas * 2).min(20)).div_ceil(10),
            false => (theirs.saturating_sub(mine) / 2).min(queue.iter().map(left).sum()),
        };
        let mut taken = Vec::new();
        for at in (0..queue.len()).rev() {
            let there = left(&queue[at]);
            if wanted == 0 || there == 0 || takes_replicas && there != replicas {
                continue;
            }
            let n = there.min(wanted);
            wanted -= n;
            if n == there {
                taken.extend(queue.remove(at));
            } else {
                taken.push(queue[at].split_off(n));
            }
        }
        taken
    }
}

/// Takes the locks that these processes will take from the thread that has made them, with one barrier for all.
fn take_locks(taken: &[Unstarted]) {
    let mut marked = Vec::new();
    for unstarted in taken {
        unstarted.work.locks(&mut |lock| marked.push(lock.mark()));
    }
    if !marked.contains(&true) {
        return;
    }
    heavy_barrier();
    let mut marked = marked.into_iter();
    for unstarted in taken {
        unstarted.work.locks(&mut |lock| {
            if marked.next() == Some(true) {
                lock.finish();
            }
        });
    }
}
