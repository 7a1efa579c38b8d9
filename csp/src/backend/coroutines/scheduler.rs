//! A scheduler: a thread, and the coroutines that it runs.
//!
//! Invariants:
//! - Only a scheduler's own thread touches it, except for its inbox. Other threads wake a coroutine by putting it there.
//! - A coroutine is in exactly one state: running, ready, parked, or idle. It is put into the ready queue once for
//!   each time it parks or passes. A wake-up that comes before it parks is kept for it.
//! - The thread itself is one more coroutine, the host, whose stack is the thread's own. While the host is parked,
//!   the loop runs on that stack. The loop ends when the host's turn comes.
//! - A scheduler that ends leaves nothing to the next thread that uses it: no deadline, no wake-up, no process.
//! - A process is accepted only if a coroutine exists that can refuse it. Therefore nothing in a wait fails for
//!   want of memory.
//! - Coroutines and schedulers are never freed, only used again, so a reference to one is always valid. A coroutine
//!   that has lost its fiber waits in `spent` for the next fiber.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::cores::{Queue, Share};
use super::coroutine::Coroutine;
use super::questions::Questions;
use super::timers::Timers;
use super::unstarted::Unstarted;
use crate::process::work;
use crate::process::work::Work;
use crate::stack::engine::{self, Fiber, NoStack};
use crate::sync::inbox::Inbox;
use crate::system::shared;
use crate::system::thread_id;
use crate::wait::event::{self, EventQueue};
use crate::wait::park::{self, Context, Ready};
use crate::wait::seen::agents;
use crate::wait::thread::patience::Patience;
use crate::watch::census::census;

/// The number of switches after which the scheduler looks at its inbox and its timers.
pub(super) const TURNS: u32 = 61;

pub(super) struct Scheduler {
    /// The coroutines that other threads wake. A call says that there are questions, or processes that were placed here.
    pub(super) inbox: Inbox<Coroutine>,
    pub(super) questions: Questions,
    /// Every coroutine except the host, idle ones included.
    pub(super) all: Mutex<Vec<&'static Coroutine>>,
    /// The context that has the turn. It is null if nobody is ready.
    pub(super) running: AtomicPtr<Context>,
    /// The number of turns so far.
    pub(super) turns: AtomicU32,
    /// The context of the thread itself.
    pub(super) own: AtomicPtr<Context>,
    /// The number that the system has given the thread.
    pub(super) thread: AtomicU32,
    pub(super) in_use: AtomicBool,
    pub(super) patience: Patience,
    pub(super) host: Cell<Option<&'static Coroutine>>,
    pub(super) ready: Ready,
    pub(super) unstarted: Queue<VecDeque<Unstarted>>,
    /// The part of it that the schedulers of other cores see.
    pub(super) share: Share,
    pub(super) idle: RefCell<Vec<&'static Coroutine>>,
    pub(super) spent: RefCell<Vec<&'static Coroutine>>,
    /// The coroutine that refuses processes for which there is no stack. `None` if there is none yet, or while it
    /// refuses.
    pub(super) reserve: Cell<Option<&'static Coroutine>>,
    pub(super) has_reserve: Cell<bool>,
    /// The number of coroutines that have a fiber.
    pub(super) live: Cell<usize>,
    pub(super) timers: Timers<Coroutine>,
    /// The turn in which the scheduler next looks at its inbox and its timers.
    pub(super) looks: Cell<u32>,
    /// The same, while the scheduler looks into its event queue more often than at the rest.
    pub(super) rest_looks: Cell<u32>,
    /// Where its processes wait for descriptors.
    pub(super) events: EventQueue,
    /// The reason why unstarted processes get no stack, while no process runs that could give one back.
    pub(super) refusing: RefCell<Option<String>>,
    pub(super) ending: Cell<bool>,
}

// SAFETY: other threads use only the inbox, and what is atomic or behind a lock. A scheduler whose thread has ended is handed to another thread through a mutex.
unsafe impl Sync for Scheduler {}

std::thread_local! {
    pub(super) static SCHEDULER: Cell<Option<&'static Scheduler>> = const { Cell::new(None) };
}

pub(super) static UNUSED: shared::Mutex<Vec<&'static Scheduler>> = shared::Mutex::new(Vec::new());

impl Scheduler {
    /// Returns this thread's scheduler. If there is none, the thread becomes one.
    pub(super) fn of_this_thread() -> &'static Self {
        SCHEDULER.get().unwrap_or_else(Self::begin)
    }

    #[cold]
    pub(super) fn begin() -> &'static Self {
        engine::choose();
        let context = park::current();
        engine::name_by(park::write_path);
        // Takes over a scheduler whose thread has ended, or makes one.
        let unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let scheduler = unused.unwrap_or_else(|| {
            let scheduler: &'static Self = Box::leak(Box::new(Self {
                inbox: Inbox::new(),
                questions: Questions::default(),
                all: Mutex::default(),
                running: AtomicPtr::new(ptr::null_mut()),
                turns: AtomicU32::new(0),
                own: AtomicPtr::new(ptr::null_mut()),
                thread: AtomicU32::new(0),
                in_use: AtomicBool::new(false),
                patience: Patience::new(),
                host: Cell::new(None),
                ready: Ready::new(),
                unstarted: Queue::new(VecDeque::new()),
                share: Share::new(),
                idle: RefCell::default(),
                spent: RefCell::default(),
                reserve: Cell::new(None),
                has_reserve: Cell::new(false),
                live: Cell::new(0),
                timers: Timers::new(),
                looks: Cell::new(TURNS),
                rest_looks: Cell::new(0),
                events: EventQueue::new(),
                refusing: RefCell::default(),
                ending: Cell::new(false),
            }));
            agents::know(scheduler);
            scheduler
        });
        // Makes this thread's context the host.
        match scheduler.host.get() {
            Some(host) => {
                host.of_thread.set(Some(context));
                host.take_up();
            }
            None => scheduler.host.set(Some(Coroutine::new(scheduler, Some(context)))),
        }
        scheduler.own.store(ptr::from_ref(context).cast_mut(), Ordering::Relaxed);
        scheduler.thread.store(thread_id::of_this_thread(), Ordering::Relaxed);
        scheduler.shows_running(context);
        scheduler.in_use.store(true, Ordering::Release);
        SCHEDULER.set(Some(scheduler));
        event::adopt(&scheduler.events);
        // The scheduler ends with the thread.
        context.at_exit.set(Some(|| {
            if let Some(scheduler) = SCHEDULER.get() {
                scheduler.end();
            }
        }));
        scheduler
    }

    pub(super) fn start(&'static self, work: Arc<dyn Work>) {
        let job: &dyn Work = &*work;
        let (stack, count) = (engine::stack_size(job.options().stack()), job.count());
        // Without a reserve, a later failure in a wait could not be reported to them.
        if let Err(why) = self.keep_reserve() {
            let reason = format!("{why}; {}", census());
            return (0..count).for_each(|index| work::refuse(&work, index, &reason));
        }
        let loose = self.share.is_loose(self, job);
        if loose.is_known() {
            return self.share.start_known(Unstarted { work, next: 0, count, stack, loose });
        }
        let mut queue = self.unstarted.own();
        queue.push_back(Unstarted { work, next: 0, count, stack, loose });
        self.share.queued(loose, count);
        drop(queue);
        self.share.work_came(loose, count);
    }

    pub(super) fn keep_reserve(&'static self) -> Result<(), NoStack> {
        if !self.has_reserve.get() {
            self.reserve.set(Some(self.create(engine::stack_size(None), true)?));
            self.has_reserve.set(true);
        }
        Ok(())
    }

    /// Takes the next unstarted process, if a stack of this size suits it. Its job replaces the one in `held`, from
    /// which the coroutine took its last process.
    #[inline(never)]
    pub(super) fn take_unstarted(
        &self,
        stack: usize,
        held: &mut Option<Arc<dyn Work>>,
    ) -> Option<usize> {
        self.share.take_next(stack, held, |held| self.take_first(stack, held))
    }

    /// Does the same for processes that are not known to be brief.
    ///
    /// The jobs take turns, so one writer does not wait until a million replicas of a reader have started.
    #[inline(always)]
    pub(super) fn take_first(
        &self,
        stack: usize,
        held: &mut Option<Arc<dyn Work>>,
    ) -> Option<usize> {
        let mut queue = self.unstarted.own();
        let is_only = queue.len() == 1;
        let first = queue.front_mut().filter(|first| first.stack == stack)?;
        let index = first.next;
        first.next += 1;
        let is_held = held
            .as_ref()
            .is_some_and(|held| ptr::addr_eq(&raw const **held, &raw const *first.work));
        // Nearly always the only job has more replicas.
        if !is_only || !is_held || first.next == first.count {
            if first.next == first.count {
                self.share.dequeued(first.loose);
            }
            let before = Self::change_job(&mut queue, is_held, held);
            drop(queue);
            drop(before);
        }
        Some(index)
    }

    /// Puts the first job into `held`, unless it `is_held`, and moves it to the end of the queue or out of it. Returns the job
    /// that was held before.
    #[inline(never)]
    fn change_job(
        queue: &mut VecDeque<Unstarted>,
        is_held: bool,
        held: &mut Option<Arc<dyn Work>>,
    ) -> Option<Arc<dyn Work>> {
        let first = queue.front()?;
        if first.left() == 0 {
            return held.replace(queue.pop_front()?.work);
        }
        let work = (!is_held).then(|| Arc::clone(&first.work));
        if queue.len() > 1 {
            queue.rotate_left(1);
        }
        work.and_then(|work| held.replace(work))
    }

    /// Runs the loop. Returns when the host's turn comes.
    pub(super) fn run(&'static self) {
        loop {
            // Only this thread changes the counter.
            let turns = self.turns.load(Ordering::Relaxed).wrapping_add(1);
            self.turns.store(turns, Ordering::Relaxed);
            if turns == self.looks.get() {
                match self.events.is_awaited() {
                    false => self.looks.set(turns.wrapping_add(self.look(turns))),
                    true => self.look_at_events(turns),
                }
            }
            match self.ready.pop() {
                Some(context) if ptr::eq(context, self.own.load(Ordering::Relaxed)) => {
                    park::switch_to(context);
                    self.shows_running(context);
                    return;
                }
                // Every other context in this queue is a coroutine's own.
                Some(context) => Coroutine::of(context).resume(self),
                None => {
                    if !self.start_next(true) {
                        self.running.store(ptr::null_mut(), Ordering::Relaxed);
                        self.wait();
                    }
                }
            }
        }
    }

    /// Looks at what other threads have sent, and starts a process now and then. Returns after how many turns it looks again.
    #[inline(always)]
    pub(super) fn look(&'static self, turn: u32) -> u32 {
        let next = self.share.next_look(turn, TURNS);
        self.look_outside();
        if next == TURNS || self.share.starts_one(turn, TURNS) {
            self.start_next(false);
        }
        next
    }

    /// Runs the next process that has not started. `alone` says that no other process is ready.
    pub(super) fn start_next(&'static self, alone: bool) -> bool {
        let first = || self.unstarted.look().front().map(|first| first.stack);
        let Some(stack) = self.share.next_stack(first) else { return false };
        let idle = {
            let mut idle = self.idle.borrow_mut();
            let at = idle.iter().rposition(|coroutine| coroutine.stack.get() == stack);
            at.map(|at| idle.swap_remove(at))
        };
        let is_new = idle.is_none();
        let coroutine = match idle.map_or_else(|| self.create(stack, false), Ok) {
            Ok(coroutine) => coroutine,
            Err(why) if alone => return self.refuse(stack, why),
            Err(_) => return false,
        };
        coroutine.resume(self);
        if is_new {
            // Its first process has touched it.
            self.share.makes_stack();
        }
        true
    }

    /// Refuses the unstarted processes, because there is no stack for them, until some process is ready.
    #[cold]
    pub(super) fn refuse(&'static self, stack: usize, why: NoStack) -> bool {
        // The reserve is missing while it waits: a value that it drops may wait for others.
        let Some(coroutine) = self.reserve.take() else { return false };
        coroutine.stack.set(stack);
        self.refusing.replace(Some(format!("{why}; {}", census())));
        coroutine.resume(self);
        self.refusing.replace(None);
        true
    }

    pub(super) fn create(
        &'static self,
        stack: usize,
        refusing: bool,
    ) -> Result<&'static Coroutine, NoStack> {
        let spent = self.spent.borrow_mut().pop();
        let coroutine = spent.unwrap_or_else(|| {
            let coroutine = Coroutine::new(self, None);
            self.all.lock().unwrap_or_else(PoisonError::into_inner).push(coroutine);
            coroutine
        });
        coroutine.stack.set(stack);
        // A refusal needs a stack of the usual size only, whatever size the processes asked for.
        let stack = if refusing { engine::stack_size(None) } else { stack };
        let live = move |suspender| coroutine.live(suspender, refusing);
        match Fiber::create(stack, refusing, live) {
            Ok(fiber) => {
                // SAFETY: nobody else knows the coroutine yet.
                unsafe { *coroutine.fiber.get() = Some(fiber) };
                self.live.set(self.live.get() + 1);
                self.share.makes_stack();
                Ok(coroutine)
            }
            Err(why) => {
                self.spent.borrow_mut().push(coroutine);
                Err(why)
            }
        }
    }

    #[inline(always)]
    pub(super) fn shows_running(&self, context: &'static Context) {
        self.running.store(ptr::from_ref(context).cast_mut(), Ordering::Relaxed);
    }

    /// Takes in what other threads have sent.
    #[inline]
    pub(super) fn open_inbox(&'static self) {
        let taken = self.inbox.take();
        let called = taken.called;
        taken.for_each(Coroutine::wake);
        if called {
            self.share.take_placed(self);
            self.questions.answer(self);
        }
    }

    /// Takes in what other threads have sent, and deadlines that have come.
    pub(super) fn look_outside(&'static self) {
        self.open_inbox();
        if !self.timers.is_empty() {
            self.wake_late(Instant::now());
        }
    }

    pub(super) fn wake_late(&self, now: Instant) {
        while let Some(coroutine) = self.timers.due(now) {
            let context = coroutine.context();
            context.berth.late.set(true);
            context.berth.parked.set(false);
            self.ready.push(context);
        }
    }
}
