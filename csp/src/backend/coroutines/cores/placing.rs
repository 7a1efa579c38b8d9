//! `on = cores`: processes that are dealt out to the schedulers when they are started.
//!
//! Replicas go out in blocks, because neighbours talk. A single process goes to the scheduler that has the fewest.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::loose::Loose;
use super::pool::pool;
use super::share::Share;
use crate::backend::coroutines::guest::guest;
use crate::backend::coroutines::scheduler::Scheduler;
use crate::backend::coroutines::unstarted::Unstarted;
use crate::process::work::{self, Work};
use crate::stack::engine;
use crate::system::cores;
use crate::watch::census::census;

/// Deals out the processes of `work`.
pub(in crate::backend) fn place(work: Arc<dyn Work>) {
    let here = Scheduler::of_this_thread();
    let all = here.share.targets(here);
    let (count, cores) = (work.count(), all.len());
    let stack = engine::stack_size(work.options().stack());
    // A daemon stays with its parent, because a worker never ends.
    if cores == 1 || work.options().daemon() {
        return here.begin_placed(Unstarted { work, next: 0, count, stack, loose: Loose::Bound });
    }
    // The host of futures is no place to take one from.
    let loose = if work.futures().is_none() { Loose::OnEvidence } else { Loose::Bound };
    if count == 1 {
        let least = all.iter().min_by_key(|scheduler| scheduler.share.load());
        let least = least.expect("the own one is there");
        return least.place_here(Unstarted { work, next: 0, count, stack, loose });
    }
    // The last blocks first: their threads wake up meanwhile.
    for (n, scheduler) in all.iter().enumerate().rev() {
        let (next, end) = (n * count / cores, (n + 1) * count / cores);
        if next < end {
            let work = Arc::clone(&work);
            scheduler.place_here(Unstarted { work, next, count: end, stack, loose });
        }
    }
}

impl Share {
    /// Returns the schedulers to deal to, the own one first.
    fn targets(&self, own: &'static Scheduler) -> Vec<&'static Scheduler> {
        let mut all = vec![own];
        if self.begins_to_share(own) {
            let cores = cores::here();
            let workers = pool().some_workers(if self.is_worker() { cores } else { cores - 1 });
            all.extend(workers.into_iter().filter(|worker| !ptr::eq(*worker, own)));
            all.truncate(cores);
        }
        all
    }

    /// Takes in processes that others have placed here. Only the scheduler's own thread calls this.
    pub(in crate::backend::coroutines) fn take_placed(&self, scheduler: &'static Scheduler) {
        while self.to_come.load(Ordering::Acquire) > 0 {
            let Some(unstarted) = self.placed().pop_front() else { return };
            self.to_come.fetch_sub(unstarted.left(), Ordering::Relaxed);
            self.news.set(true);
            scheduler.begin_placed(unstarted);
        }
    }
}

impl Scheduler {
    /// Places processes here, from any thread.
    fn place_here(&'static self, unstarted: Unstarted) {
        if self.is_of_this_thread() {
            return self.begin_placed(unstarted);
        }
        self.share.to_come.fetch_add(unstarted.left(), Ordering::Release);
        self.share.placed().push_back(unstarted);
        self.rouse();
    }

    /// Queues processes on their own thread.
    fn begin_placed(&'static self, unstarted: Unstarted) {
        let Unstarted { ref work, next, count, loose, .. } = unstarted;
        if work.futures().is_some() {
            let guest = guest().expect("it has welcomed itself");
            return guest.begin(Arc::clone(work), next, count);
        }
        if let Err(why) = self.keep_reserve() {
            let reason = format!("{why}; {}", census());
            return (next..count).for_each(|index| work::refuse(work, index, &reason));
        }
        let mut queue = self.unstarted.own();
        queue.push_back(unstarted);
        self.share.queued(loose, count - next);
        drop(queue);
        self.share.work_came(loose, count - next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, parallel, process};

    /// Returns how many processes there are here, and how many of them run.
    fn counted() -> (usize, usize) {
        let here = Scheduler::of_this_thread();
        assert!(here.share.counts_all(&here.unstarted.look()));
        (here.share.load(), here.share.alive())
    }

    #[test]
    fn each_process_counts_from_its_start_to_its_end() {
        std::thread::spawn(|| {
            assert_eq!(counted(), (0, 0));
            let (all,) = parallel!(100 * process(counted).on(Backend::Coroutine));
            let expected: Vec<_> = (1..=100).rev().map(|left| (left, 1)).collect();
            assert_eq!(all, expected);
            let within = process(|| parallel!(2 * process(counted).on(Backend::Coroutine)).0);
            let (all,) = parallel!(within.on(Backend::Coroutine));
            assert_eq!(all, [(3, 2), (2, 2)]);
            assert_eq!(counted(), (0, 0));
        })
        .join()
        .unwrap();
    }
}
