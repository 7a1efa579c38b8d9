//! The schedulers that share work: those of threads that started some, and the workers, whose threads do nothing else.
//!
//! Invariants:
//! - `busy` counts the schedulers that need a core. A worker takes work from others only while that number and the
//!   computations under way are fewer than the cores.
//! - A worker's thread never ends, so what has started there stays.
//! - A scheduler is among the members from its first process that others may take to the end of its thread.

use std::io;
use std::ptr;
use std::sync::atomic::{Ordering, fence};
use std::sync::mpsc;

use super::loose::Loose;
use super::share::{self, Membership, Share};
use crate::backend::coroutines::scheduler::Scheduler;
use crate::process::work::Work;
use crate::sync::search::{Roster, WorkSearch};
use crate::system::cores;
use crate::system::forked::{self, Afresh};
use crate::system::shared::{AtomicBool, AtomicPtr, AtomicUsize};
use crate::wait::park;
use crate::wait::thread::relief;

/// How many schedulers share work at most. A thread that comes later keeps its processes.
const MOST: usize = 512;

pub(super) struct CorePool {
    pub(super) search: WorkSearch,
    members: [AtomicPtr<Scheduler>; MOST],
    /// The members are among the first so many.
    places: AtomicUsize,
    /// The number of workers, made or being made.
    workers: AtomicUsize,
    /// The system had no thread for a worker.
    refused: AtomicBool,
    busy: AtomicUsize,
}

static POOL: Afresh<CorePool> = Afresh::new();

/// Returns the pool of this OS process.
#[inline]
pub(super) fn pool() -> &'static CorePool {
    POOL.get(|| CorePool {
        search: WorkSearch::new(),
        members: [const { AtomicPtr::new(ptr::null_mut()) }; MOST],
        places: AtomicUsize::new(0),
        workers: AtomicUsize::new(0),
        refused: AtomicBool::new(false),
        busy: AtomicUsize::new(0),
    })
}

impl CorePool {
    #[allow(unsafe_code)]
    pub(super) fn members(&self) -> impl Iterator<Item = &'static Scheduler> {
        let places = self.places.load(Ordering::Acquire);
        // SAFETY: it was made of a reference that is good for ever.
        self.members[..places]
            .iter()
            .filter_map(|it| unsafe { it.load(Ordering::Acquire).as_ref() })
    }

    /// Makes the scheduler a member. Returns false if there is no place.
    fn join(&self, scheduler: &'static Scheduler) -> bool {
        let this = ptr::from_ref(scheduler).cast_mut();
        let (order, relaxed) = (Ordering::AcqRel, Ordering::Relaxed);
        let is_free = |place: &AtomicPtr<Scheduler>| {
            place.compare_exchange(ptr::null_mut(), this, order, relaxed).is_ok()
        };
        let Some(place) = self.members.iter().position(is_free) else { return false };
        self.places.fetch_max(place + 1, order);
        scheduler.share.place.store(place + 1, relaxed);
        true
    }

    fn leave(&self, scheduler: &'static Scheduler) {
        let this = ptr::from_ref(scheduler).cast_mut();
        scheduler.share.place.store(0, Ordering::Relaxed);
        for place in &self.members {
            if place.load(Ordering::Relaxed) == this {
                place.store(ptr::null_mut(), Ordering::Release);
            }
        }
    }

    fn workers(&self) -> impl Iterator<Item = &'static Scheduler> {
        self.members().filter(|member| member.share.works.load(Ordering::Acquire))
    }

    /// Returns whether a core is left for a worker.
    pub(super) fn has_core(&self) -> bool {
        let computing = usize::try_from(relief::computing()).unwrap_or(0);
        self.busy.load(Ordering::SeqCst) + computing < cores::of_all()
    }

    /// Takes a core for a worker, if one is left.
    pub(super) fn take_core(&self) -> bool {
        let computing = usize::try_from(relief::computing()).unwrap_or(0);
        let most = cores::of_all().saturating_sub(computing);
        let more = |busy: usize| (busy < most).then_some(busy + 1);
        self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    pub(super) fn give_core_back(&self) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// Makes a worker. `called` says that it is the one that searches. Returns once it is a member.
    fn make_worker(&'static self, called: bool) -> io::Result<&'static Scheduler> {
        let more = |now: usize| (now < cores::of_all()).then_some(now + 1);
        let number = self.workers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        let number = number.map_err(|_| io::Error::other("there is one for each core"))?;
        let (tell, told) = mpsc::channel();
        let work = move || {
            let host = park::current();
            let scheduler = Scheduler::of_this_thread();
            host.be_nobody();
            let share = &scheduler.share;
            let has_place = scheduler.keep_reserve().is_ok() && self.join(scheduler);
            if has_place {
                share.becomes_worker(called);
                scheduler.ready.set_worker();
                precise_naps();
            }
            let _ = tell.send(has_place.then_some(scheduler));
            if has_place {
                loop {
                    scheduler.run();
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("csp core {}", number + 1));
        let made = thread.spawn(work).and_then(|_| {
            let made = told.recv().ok().flatten();
            made.ok_or_else(|| io::Error::other("it has no memory"))
        });
        if made.is_err() {
            self.workers.fetch_sub(1, Ordering::SeqCst);
            self.refused.store(true, Ordering::SeqCst);
        }
        made
    }

    /// Returns this many workers, or as many as there can be.
    pub(super) fn some_workers(&'static self, n: usize) -> Vec<&'static Scheduler> {
        while self.workers.load(Ordering::SeqCst) < n && self.make_worker(false).is_ok() {}
        self.workers().take(n).collect()
    }

    /// Says that the scheduler needs no core for now. Others may take its place. A worker that `searches` itself calls no other.
    pub(super) fn rests(&'static self, share: &Share, searches: bool) {
        // A copy made by `fork` has a pool of its own, in which nobody was counted.
        if share.busy.replace(false) && share.generation.get() == forked::generation() {
            self.give_core_back();
            if !searches {
                fence(Ordering::SeqCst);
                self.search.find_one(&self);
            }
        }
    }

    pub(super) fn rises(&self, share: &Share) {
        share.generation.set(forked::generation());
        if !share.busy.replace(true) {
            self.busy.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Roster for &'static CorePool {
    fn has_work(&self) -> bool {
        self.has_core() && self.members().any(|member| member.share.spare() > 0)
    }

    fn has_room(&self) -> bool {
        self.has_core()
    }

    fn has_idle(&self) -> bool {
        let may_be_made = self.workers.load(Ordering::SeqCst) < cores::of_all();
        may_be_made && !self.refused.load(Ordering::SeqCst)
            || self.workers().any(|worker| worker.share.station.is_idle())
    }

    fn call(&self) -> bool {
        match self.workers().find(|worker| worker.share.station.call()) {
            Some(worker) => worker.rouse(),
            None => return self.make_worker(true).is_ok(),
        }
        true
    }
}

impl Scheduler {
    /// Lets the scheduler look at what has come for it, from any thread. It counts as awake from now on.
    pub(super) fn rouse(&self) {
        self.inbox.call(true, self);
    }
}

impl Share {
    /// Returns whether others may take these processes, which are started here now.
    #[inline]
    pub(in crate::backend::coroutines) fn is_loose(
        &self,
        scheduler: &'static Scheduler,
        job: &dyn Work,
    ) -> Loose {
        let is_free = match self.membership.get() {
            Membership::Member | Membership::Worker => true,
            Membership::Alone => false,
            Membership::Unknown => self.begins_to_share(scheduler),
        };
        // Only the watch and the backend know of a process that is not seen.
        let options = job.options();
        if !is_free || options.on().is_some() || options.daemon() || !job.is_seen() {
            Loose::Bound
        } else if options.is_worth_a_steal() {
            Loose::AtOnce
        } else {
            Loose::OnEvidence
        }
    }

    /// Makes the scheduler of a plain thread a member, unless it is one or its network stays with it.
    #[cold]
    pub(super) fn begins_to_share(&self, scheduler: &'static Scheduler) -> bool {
        if self.membership.get() == Membership::Unknown {
            let shares = cores::here() > 1 && pool().join(scheduler);
            self.membership.set(if shares { Membership::Member } else { Membership::Alone });
            if shares {
                self.clock.store(clock_of_this_thread(), Ordering::Relaxed);
                pool().rises(self);
            }
        }
        self.membership.get() != Membership::Alone
    }

    fn becomes_worker(&self, called: bool) {
        self.membership.set(Membership::Worker);
        self.works.store(true, Ordering::Release);
        self.searches.set(called);
        self.clock.store(clock_of_this_thread(), Ordering::Relaxed);
    }

    /// Looks after a job of `n` processes that was started here.
    #[inline]
    pub(in crate::backend::coroutines) fn work_came(&self, loose: Loose, n: usize) {
        share::count(&self.started);
        // The thread itself runs one of them.
        if loose != Loose::Bound && (n > 1 || self.spare() > 1) {
            pool().search.work_came(&pool());
        }
    }

    /// Ends the membership, with the thread.
    pub(in crate::backend::coroutines) fn leaves(&self, scheduler: &'static Scheduler) {
        if self.membership.replace(Membership::Unknown) == Membership::Member {
            pool().leave(scheduler);
            pool().rests(self, false);
        }
        // No thread is here, so no value is to wait for a reader here.
        scheduler.ready.set_spare(false);
    }
}

/// Lets the calling thread sleep for as short a time as it asks for.
fn precise_naps() {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    // SAFETY: it sets a number of the calling thread.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000 as libc::c_ulong);
    }
}

/// Returns the clock of this thread's CPU time. The value 0 means that there is none.
fn clock_of_this_thread() -> i32 {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    {
        let mut clock = 0;
        // SAFETY: it writes the clock of the calling thread, which exists.
        let error = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        if error == 0 { clock } else { 0 }
    }
    #[cfg(not(target_os = "linux"))]
    0
}
