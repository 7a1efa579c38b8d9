//! Floor 5. Threads for CPU work: a pool of rayon's that only this crate uses, with as many threads as there are cores.
//! Stand-ins replace threads that wait.
//!
//! Jobs stand in a queue. For each job a thread of the pool is asked to take a turn. A turn does the first job of
//! the queue.
//!
//! *A job is done at the bottom of a stack.* A thread that waits for its part of a parallel loop does other work
//! meanwhile. That work uses the same stack. A job that waited there would keep the loop below it from ending, and
//! perhaps it waits for that very loop.
//!
//! *A thread that sleeps is replaced.* While threads of the pool wait for other processes and jobs stand in the
//! queue, as many stand-ins work. A stand-in that sleeps is replaced too. So a job waits for no other job, unless
//! that job computes.
//!
//! *A stand-in is a pool of one thread.* Loops of rayon run inside it, and wait for no other thread.
//!
//! The counts that this takes, with their invariant, are in `counts`.
//!
//! Because no other code has this pool, nothing that the program does in rayon's global pool stops a computation.
//! Rejected: `rayon::yield_now` while a process waits. Work begun in that way must end before the wait can end. It
//! may itself wait for something below it on the stack.

pub(crate) mod counts;

use rayon_core::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use self::counts::{PoolCounts, Threads};
use crate::system::forked::Afresh;
use crate::system::mutex::lock;
use crate::system::quiet;
use crate::wait::park;
use crate::wait::thread::pool::Job;
use crate::wait::thread::relief::{self, Sleep, Workers};

struct RayonPool {
    pool: ThreadPool,
    queue: Mutex<VecDeque<Job<'static>>>,
    counts: PoolCounts,
    /// The number of threads of stand-ins, and the number of those that sleep.
    stand_ins: AtomicUsize,
    stand_ins_away: AtomicUsize,
    /// The number of all these threads that wait for nothing except another thread.
    asleep: AtomicUsize,
    /// The number of all these threads that sleep otherwise.
    dozing: AtomicUsize,
    /// The stand-ins that have no job. There are at most as many as the pool has threads.
    idle: Mutex<Vec<Arc<ThreadPool>>>,
    /// The depth of a turn on a free stack. It is 0 until the first turn.
    bottom: AtomicUsize,
}

/// The mutex is held while the crew is made.
static CREW: Afresh<(Mutex<()>, OnceLock<RayonPool>)> = Afresh::new();

/// Returns the crew of this OS process, if it has one.
fn there_is() -> Option<&'static RayonPool> {
    CREW.get(Default::default).1.get()
}

/// Has a thread of the crew do the job, when its turn comes.
///
/// # Errors
/// Returns an error if the system has no threads for the pool. The next call tries again.
pub(in crate::backend) fn run(job: Job<'static>) -> io::Result<()> {
    let crew = crew()?;
    let job = crew.counted(job);
    lock(&crew.queue).push_back(job);
    crew.pool.spawn(take_turn);
    crew.counts.job_came(&crew);
    Ok(())
}

fn crew() -> io::Result<&'static RayonPool> {
    let (building, crew) = CREW.get(Default::default);
    if let Some(crew) = crew.get() {
        return Ok(crew);
    }
    let _building = lock(building);
    if let Some(crew) = crew.get() {
        return Ok(crew);
    }
    relief::know(&AllOfThem);
    let pool = ThreadPoolBuilder::new().spawn_handler(|thread| start(thread, &Regular));
    let pool = pool.build().map_err(io::Error::other)?;
    Ok(crew.get_or_init(|| RayonPool {
        pool,
        queue: Mutex::default(),
        counts: PoolCounts::new(),
        stand_ins: AtomicUsize::new(0),
        stand_ins_away: AtomicUsize::new(0),
        asleep: AtomicUsize::new(0),
        dozing: AtomicUsize::new(0),
        idle: Mutex::default(),
        bottom: AtomicUsize::new(0),
    }))
}

/// Returns the crew, for its own threads.
fn the_crew() -> &'static RayonPool {
    there_is().expect("it is there before anybody works")
}

std::thread_local! {
    /// The address at which the stack of this thread begins.
    static BEGIN: Cell<usize> = const { Cell::new(0) };
}

/// Starts a thread of the crew.
fn start(thread: ThreadBuilder, crew: &'static dyn relief::Crew) -> io::Result<()> {
    let work = move || {
        quiet::lend_this_thread();
        relief::join(crew);
        let begin = 0_u8;
        BEGIN.set((&raw const begin).addr());
        thread.run();
        quiet::give_back_this_thread();
    };
    thread::Builder::new().name("csp compute".into()).spawn(work).map(drop)
}

/// Does the first job of the queue, if the stack is free for it.
fn take_turn() {
    let crew = the_crew();
    let here = 0_u8;
    let depth = BEGIN.get().abs_diff((&raw const here).addr());
    // The very first turn finds a free stack, because the pool has had nothing else to do. Rayon reaches every
    // turn in the same way, so all turns on a free stack lie equally deep. A mistake here costs no more than a
    // stand-in.
    let first = crew.bottom.compare_exchange(0, depth, Ordering::Relaxed, Ordering::Relaxed);
    let is_free = first.is_ok() || first == Err(depth);
    crew.counts.turn(&crew, is_free, || crew.do_first());
}

impl RayonPool {
    /// Has the job counted from now until it has ended.
    fn counted(&'static self, job: Job<'static>) -> Job<'static> {
        self.counts.job_begins(&self);
        Box::new(move || {
            quiet::lent(|| park::errand(job));
            self.counts.job_has_ended(&self);
        })
    }

    /// Does the first job of the queue. Returns whether there was one.
    fn do_first(&self) -> bool {
        let job = lock(&self.queue).pop_front();
        job.map(|job| job()).is_some()
    }

    /// Keeps a stand-in that has no job any more, or lets its thread end after this job.
    fn keep(&self, stand_in: Arc<ThreadPool>) {
        let mut idle = lock(&self.idle);
        if idle.len() < self.pool.current_num_threads() {
            idle.push(stand_in);
        } else {
            drop(idle);
            drop(stand_in);
        }
    }

    fn falls_asleep(&self, sleep: Sleep) {
        let how = if sleep == Sleep::Counted { &self.asleep } else { &self.dozing };
        how.fetch_add(1, Ordering::SeqCst);
    }

    fn wakes(&self, sleep: Sleep) {
        let how = if sleep == Sleep::Counted { &self.asleep } else { &self.dozing };
        how.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Threads for &'static RayonPool {
    fn has_jobs(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    fn size(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn start_stand_in(&self) -> bool {
        let crew = *self;
        let idle = lock(&crew.idle).pop();
        let Ok(stand_in) = idle.map_or_else(new_stand_in, Ok) else { return false };
        let own = Arc::clone(&stand_in);
        stand_in.spawn(move || crew.counts.stand_in(&crew, || crew.do_first(), || crew.keep(own)));
        true
    }

    fn wake(&self) {
        quiet::wake();
    }

    fn fall_asleep(&self) {
        quiet::fall_asleep();
    }
}

fn new_stand_in() -> io::Result<Arc<ThreadPool>> {
    let alone = ThreadPoolBuilder::new().num_threads(1);
    let stand_ins = &the_crew().stand_ins;
    let gone = move |_| {
        stand_ins.fetch_sub(1, Ordering::SeqCst);
    };
    stand_ins.fetch_add(1, Ordering::SeqCst);
    let alone = alone.exit_handler(gone).spawn_handler(|thread| start(thread, &StandIn)).build();
    if alone.is_err() {
        stand_ins.fetch_sub(1, Ordering::SeqCst);
    }
    alone.map(Arc::new).map_err(io::Error::other)
}

/// A thread of the pool.
struct Regular;

impl relief::Crew for Regular {
    fn leaves(&self, sleep: Sleep) {
        let crew = the_crew();
        crew.falls_asleep(sleep);
        crew.counts.leaves(&crew);
    }

    fn returns(&self, sleep: Sleep) {
        let crew = the_crew();
        crew.counts.returns();
        crew.wakes(sleep);
    }
}

struct StandIn;

impl relief::Crew for StandIn {
    fn leaves(&self, sleep: Sleep) {
        let crew = the_crew();
        crew.falls_asleep(sleep);
        crew.stand_ins_away.fetch_add(1, Ordering::SeqCst);
        crew.counts.stand_in_leaves(&crew);
    }

    fn returns(&self, sleep: Sleep) {
        let crew = the_crew();
        crew.counts.stand_in_returns();
        crew.stand_ins_away.fetch_sub(1, Ordering::SeqCst);
        crew.wakes(sleep);
    }
}

/// The crew as an observer sees it that looks whether any thread is awake.
struct AllOfThem;

impl Workers for AllOfThem {
    /// Returns the number of jobs under way that do not wait. If several threads wait for the same job, the number
    /// is too low.
    fn computing(&self) -> isize {
        let Some(crew) = there_is() else { return 0 };
        // The order matters: a job that ends between the two loads is counted as one too many that is awake.
        let asleep = crew.asleep.load(Ordering::SeqCst);
        crew.counts.under_way().cast_signed() - asleep.cast_signed()
    }

    /// Returns whether every thread of the pool and every stand-in sleeps in a job or has nothing to do.
    ///
    /// Only a thread itself knows whether it has something to do, since a job may have left work by `rayon::spawn`.
    /// Therefore the threads that do not sleep are asked.
    fn rest(&self) -> bool {
        let Some(crew) = there_is() else { return true };
        let works = crew.counts.standing_in() > 0 || crew.dozing.load(Ordering::SeqCst) > 0;
        if works || !lock(&crew.queue).is_empty() {
            return false;
        }
        let idle = lock(&crew.idle).clone();
        let away = crew.stand_ins_away.load(Ordering::SeqCst);
        if crew.stand_ins.load(Ordering::SeqCst) != away + idle.len() {
            return false;
        }
        let others = crew.pool.current_num_threads().checked_sub(crew.counts.away());
        others.is_some_and(|others| Roll::call(&crew.pool, others))
            && idle.iter().all(|stand_in| Roll::call(stand_in, 1))
    }
}

/// The time that an idle thread may take to answer.
const PATIENCE: Duration = Duration::from_millis(50);

/// A roll call: all threads that have nothing to do come here at once. A thread that has a part of a loop to do
/// does that first.
#[derive(Default)]
struct Roll {
    here: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Roll {
    /// Returns whether `count` threads come.
    fn call(pool: &ThreadPool, count: usize) -> bool {
        let roll = Arc::new(Self::default());
        for _ in 0..count {
            let roll = Arc::clone(&roll);
            pool.spawn(move || roll.answer());
        }
        let asked = Instant::now();
        let mut here = lock(&roll.here);
        while here.0 < count {
            let left = PATIENCE.saturating_sub(asked.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = roll.changed.wait_timeout(here, left);
            here = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        here.1 = true;
        roll.changed.notify_all();
        here.0 == count
    }

    fn answer(&self) {
        let mut here = lock(&self.here);
        here.0 += 1;
        self.changed.notify_all();
        while !here.1 {
            here = self.changed.wait(here).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
