//! A scheduler: a thread, and the coroutines that it runs.
//!
//! What holds:
//! - All of a scheduler but its inbox is touched by its own thread only. From elsewhere a coroutine is woken
//!   through the inbox.
//! - A coroutine is in one place: running, ready, parked, or idle. It is put into the ready queue once for
//!   each time it parks or passes; a wake-up that comes before it parks is kept for it.
//! - The thread itself is one more coroutine, the host, whose stack is the thread's own. While the host is
//!   parked the loop runs there; it ends when the host's turn comes.
//! - Coroutines and schedulers are never freed, only used again: a reference to one is always good. One that
//!   has lost its fiber waits among the spent for the next.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::engine::{self, Fiber, NoStack, Suspender};
use super::marks;
use super::questions::Questions;
use super::timers::Timers;
use crate::backend::away;
use crate::backend::futures;
use crate::blocked::Blocked;
use crate::busy::Turn;
use crate::park::{self, Activity, Context, Identity, Observer, Park, Ready, Subject};
use crate::patience::Patience;
use crate::process::job::{self, Work};
use crate::quiet;
use crate::survey::census;

/// After so many switches the scheduler looks at what comes from outside.
const TURNS: u32 = 61;

/// What a switch touches comes first, in one cache line: the fiber, and the context's berth.
#[repr(C, align(64))]
pub(super) struct Coroutine {
    /// None: the host, or idle.
    fiber: UnsafeCell<Option<Fiber>>,
    own: Context,
    scheduler: &'static Scheduler,
    /// The host's context, which is its thread's and not `own`.
    of_thread: Option<&'static Context>,
    suspender: Cell<Option<Suspender>>,
    stack: Cell<usize>,
    /// How often it has begun to wait for a deadline.
    pub(super) armings: Cell<u64>,
    /// What was armed last.
    pub(super) deadline: Cell<Option<Instant>>,
}

pub(super) struct Scheduler {
    inbox: Sender<Letter>,
    letters: Receiver<Letter>,
    questions: Questions,
    /// Every coroutine but the host; idle ones too.
    all: Mutex<Vec<&'static Coroutine>>,
    /// Whose turn it is; null: nobody is ready.
    running: AtomicPtr<Context>,
    /// How many turns there have been.
    turns: AtomicU32,
    /// Of the thread itself.
    own: AtomicPtr<Context>,
    in_use: AtomicBool,
    /// It has fallen asleep, and nobody has woken it.
    asleep: AtomicBool,
    patience: Patience,
    /// It looks at what comes from other OS processes, and nobody wakes it by a letter alone.
    leading: AtomicBool,
    host: Cell<Option<&'static Coroutine>>,
    ready: Ready,
    unstarted: RefCell<VecDeque<Unstarted>>,
    idle: RefCell<Vec<&'static Coroutine>>,
    spent: RefCell<Vec<&'static Coroutine>>,
    /// Coroutines that have a fiber.
    live: Cell<usize>,
    timers: Timers,
    /// The turn in which it looks at what comes from outside.
    looks: Cell<u32>,
    /// Why there is no stack for those that have not started, while nobody runs who could give one back.
    refusing: RefCell<Option<String>>,
    ending: Cell<bool>,
}

/// What comes from other threads: a coroutine to wake; None: a question.
type Letter = Option<&'static Coroutine>;

/// The processes of `work` from `next` on have not started.
struct Unstarted {
    work: Arc<dyn Work>,
    next: usize,
    count: usize,
    /// The bytes of stack that each wants.
    stack: usize,
}

// SAFETY: from other threads only `scheduler` and its `inbox` are used; the rest is its thread's own.
unsafe impl Sync for Coroutine {}
// SAFETY: as above. A scheduler whose thread has ended is handed, through a mutex, to another.
unsafe impl Sync for Scheduler {}

std::thread_local! {
    static SCHEDULER: Cell<Option<&'static Scheduler>> = const { Cell::new(None) };
}

/// All there have ever been, in use or not.
static ALL: Mutex<Vec<&'static Scheduler>> = Mutex::new(Vec::new());

static UNUSED: Mutex<Vec<&'static Scheduler>> = Mutex::new(Vec::new());

impl Park for Coroutine {
    fn park(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        let berth = &self.forever().context().berth;
        if berth.token.take() {
            return true;
        }
        let scheduler = self.scheduler;
        if let Some(deadline) = deadline {
            scheduler.timers.arm(self.forever(), deadline);
        }
        berth.show(why);
        berth.parked.set(true);
        self.leave();
        !berth.late.take()
    }

    #[inline]
    fn unpark(&self) {
        let this = self.forever();
        match SCHEDULER.get() {
            Some(scheduler) if std::ptr::eq(scheduler, self.scheduler) => this.wake(),
            // The scheduler holds the other side of its inbox itself.
            _ => self.scheduler.post(this),
        }
    }

    fn pass(&self) {
        self.scheduler.ready.push(self.forever().context());
        self.leave();
    }

    fn has_company(&self) -> bool {
        true
    }

    fn is_alone(&self) -> bool {
        self.scheduler.ready.is_empty() && self.scheduler.unstarted.borrow().is_empty()
    }
}

impl Coroutine {
    /// `of_thread`: see there.
    fn new(scheduler: &'static Scheduler, of_thread: Option<&'static Context>) -> &'static Self {
        let this = Box::leak(Box::new(Self {
            fiber: UnsafeCell::new(None),
            own: Context::new(&Unset),
            scheduler,
            of_thread,
            suspender: Cell::new(None),
            stack: Cell::new(0),
            armings: Cell::new(0),
            deadline: Cell::new(None),
        }));
        // For `of`.
        ptr::from_ref(this).expose_provenance();
        this.context().park_with(this);
        this.context().queue_at(Some(&scheduler.ready));
        this
    }

    /// The coroutine of a context that is its own.
    #[inline(always)]
    fn of(context: &'static Context) -> &'static Self {
        let this = ptr::from_ref(context).addr() - offset_of!(Self, own);
        // SAFETY: the caller's promise makes it the address of one, made and exposed by `new`, and never freed.
        unsafe { &*ptr::with_exposed_provenance(this) }
    }

    #[inline(always)]
    pub(super) fn context(&'static self) -> &'static Context {
        self.of_thread.unwrap_or(&self.own)
    }

    /// When it wakes without a partner, if it does.
    fn deadline(&self) -> Option<Instant> {
        self.deadline.get().filter(|_| self.forever().context().berth.armed.get())
    }

    #[inline(always)]
    fn forever(&self) -> &'static Self {
        // SAFETY: every coroutine is made by `new`, which leaks it.
        unsafe { &*std::ptr::from_ref(self) }
    }

    /// Leaves the thread to others until its turn comes. Only the process itself calls this.
    #[inline(always)]
    fn leave(&self) {
        match self.suspender.get() {
            // SAFETY: a process leaves from its own stack.
            Some(suspender) => unsafe { suspender.suspend() },
            None => self.scheduler.run(),
        }
    }

    /// On its own thread.
    #[inline(always)]
    fn wake(&'static self) {
        let context = self.context();
        if context.berth.parked.replace(false) {
            self.scheduler.timers.disarm(self);
            self.scheduler.ready.push(context);
        } else {
            context.berth.token.set(true);
        }
    }

    /// Runs it until it parks, or is idle.
    #[inline(always)]
    fn resume(&'static self, scheduler: &'static Scheduler) {
        park::switch_to(&self.own);
        scheduler.shows_running(&self.own);
        // SAFETY: nobody else touches the fiber while its coroutine is ready or idle.
        let fiber = unsafe { &*self.fiber.get() };
        if !fiber.as_ref().expect("all but the host have one").resume() {
            self.finish();
        }
    }

    /// Its fiber has.
    #[inline(never)]
    fn finish(&'static self) {
        // SAFETY: the fiber no longer runs, and nobody but its coroutine knows it.
        unsafe { *self.fiber.get() = None };
        self.scheduler.live.set(self.scheduler.live.get() - 1);
        self.scheduler.spent.borrow_mut().push(self);
    }

    /// What its fiber does: one process after another. `refusing`: it was made to refuse them.
    fn live(&'static self, suspender: Suspender, refusing: bool) {
        self.suspender.set(Some(suspender));
        self.own.berth.suspender.set(suspender.inlined());
        let scheduler = self.scheduler;
        while !scheduler.ending.get() {
            // Its job, of which the next process may be one too.
            let mut held = None;
            for _ in 0..TURNS {
                let why = if refusing { scheduler.refusing.borrow().clone() } else { None };
                if refusing && why.is_none() {
                    break;
                }
                let Some(index) = scheduler.take_unstarted(self.stack.get(), &mut held) else {
                    break;
                };
                let work = held.as_ref().expect("it was just taken");
                match why {
                    Some(why) => job::refuse(work, index, &why),
                    None => marks::run(work, index),
                }
                if !scheduler.ready.is_empty() {
                    break;
                }
            }
            job::drop_quietly(held);
            {
                let mut idle = scheduler.idle.borrow_mut();
                if refusing || idle.len() >= engine::worth_keeping() {
                    return;
                }
                idle.push(self);
            }
            // SAFETY: this is the fiber's own stack.
            unsafe { suspender.suspend() };
        }
    }
}

impl Scheduler {
    /// The scheduler that this thread is, or becomes.
    pub(super) fn of_this_thread() -> &'static Self {
        SCHEDULER.get().unwrap_or_else(Self::begin)
    }

    #[cold]
    fn begin() -> &'static Self {
        engine::choose();
        let context = park::current();
        engine::name_by(park::write_path);
        let unused = UNUSED.lock().unwrap().pop();
        let scheduler = unused.unwrap_or_else(|| {
            let (inbox, letters) = crossbeam_channel::unbounded();
            let scheduler: &'static Self = Box::leak(Box::new(Self {
                inbox,
                letters,
                questions: Questions::default(),
                all: Mutex::default(),
                running: AtomicPtr::new(ptr::null_mut()),
                turns: AtomicU32::new(0),
                own: AtomicPtr::new(ptr::null_mut()),
                in_use: AtomicBool::new(false),
                asleep: AtomicBool::new(false),
                patience: Patience::new(),
                leading: AtomicBool::new(false),
                host: Cell::new(None),
                ready: Ready::new(),
                unstarted: RefCell::default(),
                idle: RefCell::default(),
                spent: RefCell::default(),
                live: Cell::new(0),
                timers: Timers::default(),
                looks: Cell::new(TURNS),
                refusing: RefCell::default(),
                ending: Cell::new(false),
            }));
            ALL.lock().unwrap_or_else(PoisonError::into_inner).push(scheduler);
            scheduler
        });
        let host = Coroutine::new(scheduler, Some(context));
        scheduler.host.set(Some(host));
        scheduler.ending.set(false);
        scheduler.own.store(ptr::from_ref(context).cast_mut(), Ordering::Relaxed);
        scheduler.shows_running(context);
        scheduler.in_use.store(true, Ordering::Release);
        SCHEDULER.set(Some(scheduler));
        context.at_exit.set(Some(|| {
            if let Some(scheduler) = SCHEDULER.take() {
                scheduler.end();
            }
        }));
        scheduler
    }

    /// The thread ends. What is parked now was told to keep nothing alive, and stays as it is for ever; its
    /// scheduler too, for a coroutine that has started runs on no other thread.
    fn end(&'static self) {
        self.ending.set(true);
        self.in_use.store(false, Ordering::Relaxed);
        drop(self.unstarted.take());
        // Another thread may take the scheduler over, and yet another the context.
        if let Some(host) = self.host.get() {
            host.context().queue_at(None);
        }
        for coroutine in self.idle.take() {
            coroutine.resume(self);
        }
        if self.live.get() == 0 {
            UNUSED.lock().unwrap().push(self);
        }
    }

    pub(super) fn start(&self, work: Arc<dyn Work>) {
        let stack = engine::stack_size(work.options().stack());
        let count = work.count();
        self.unstarted.borrow_mut().push_back(Unstarted { work, next: 0, count, stack });
    }

    /// The next process that has not started, if it is content with a stack of this size; its job is put where the one is that
    /// was taken from before. The jobs take turns: behind a million replicas of a reader the one writer does not wait for
    /// them all.
    fn take_unstarted(&self, stack: usize, held: &mut Option<Arc<dyn Work>>) -> Option<usize> {
        let mut queue = self.unstarted.borrow_mut();
        let first = queue.front_mut().filter(|first| first.stack == stack)?;
        let index = first.next;
        first.next += 1;
        let before = if first.next == first.count {
            held.replace(queue.pop_front()?.work)
        } else {
            let is_held = held
                .as_ref()
                .is_some_and(|held| ptr::addr_eq(&raw const **held, &raw const *first.work));
            let work = (!is_held).then(|| Arc::clone(&first.work));
            if queue.len() > 1 {
                queue.rotate_left(1);
            }
            work.and_then(|work| held.replace(work))
        };
        drop(queue);
        job::drop_quietly(before);
        Some(index)
    }

    /// The loop; returns when it is the host's turn.
    fn run(&'static self) {
        loop {
            // Only this thread changes it.
            let turns = self.turns.load(Ordering::Relaxed).wrapping_add(1);
            self.turns.store(turns, Ordering::Relaxed);
            if turns == self.looks.get() {
                self.looks.set(turns.wrapping_add(TURNS));
                self.look_outside();
                self.start_next(false);
            }
            match self.ready.pop() {
                Some(context) if ptr::eq(context, self.own.load(Ordering::Relaxed)) => {
                    park::switch_to(context);
                    self.shows_running(context);
                    return;
                }
                // Every other that is put into this queue is a coroutine's own.
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

    /// Runs the next process that has not started. `alone`: no other is ready.
    fn start_next(&'static self, alone: bool) -> bool {
        let Some(stack) = self.unstarted.borrow().front().map(|first| first.stack) else {
            return false;
        };
        let idle = {
            let mut idle = self.idle.borrow_mut();
            let at = idle.iter().rposition(|coroutine| coroutine.stack.get() == stack);
            at.map(|at| idle.swap_remove(at))
        };
        let coroutine = match idle.map_or_else(|| self.create(stack, false), Ok) {
            Ok(coroutine) => coroutine,
            Err(why) if alone => return self.refuse(stack, why),
            Err(_) => return false,
        };
        coroutine.resume(self);
        true
    }

    /// Tells those who have not started, until somebody is ready, that there is no stack for them.
    #[cold]
    fn refuse(&'static self, stack: usize, why: NoStack) -> bool {
        let coroutine = self.create(stack, true).unwrap_or_else(|why| panic!("{why}"));
        self.refusing.replace(Some(format!("{why}; {}", census())));
        coroutine.resume(self);
        self.refusing.replace(None);
        true
    }

    fn create(&'static self, stack: usize, refusing: bool) -> Result<&'static Coroutine, NoStack> {
        let spent = self.spent.borrow_mut().pop();
        let coroutine = spent.unwrap_or_else(|| {
            let coroutine = Coroutine::new(self, None);
            self.all.lock().unwrap_or_else(PoisonError::into_inner).push(coroutine);
            coroutine
        });
        coroutine.stack.set(stack);
        // Whatever they asked for, to be refused takes no more than usual.
        let stack = if refusing { engine::stack_size(None) } else { stack };
        let live = move |suspender| coroutine.live(suspender, refusing);
        match Fiber::create(stack, refusing, live) {
            Ok(fiber) => {
                // SAFETY: nobody else knows it yet.
                unsafe { *coroutine.fiber.get() = Some(fiber) };
                self.live.set(self.live.get() + 1);
                Ok(coroutine)
            }
            Err(why) => {
                self.spent.borrow_mut().push(coroutine);
                Err(why)
            }
        }
    }

    #[inline(always)]
    fn shows_running(&self, context: &'static Context) {
        self.running.store(ptr::from_ref(context).cast_mut(), Ordering::Relaxed);
    }

    fn open(&'static self, letter: Letter) {
        match letter {
            Some(coroutine) => coroutine.wake(),
            None => self.questions.answer(self),
        }
    }

    /// Takes in what has come from other threads, and the deadlines that have.
    fn look_outside(&'static self) {
        while let Ok(letter) = self.letters.try_recv() {
            self.open(letter);
        }
        if !self.timers.is_empty() {
            self.wake_late(Instant::now());
        }
    }

    fn wake_late(&self, now: Instant) {
        while let Some(coroutine) = self.timers.due(now) {
            let context = coroutine.context();
            context.berth.late.set(true);
            context.berth.parked.set(false);
            self.ready.push(context);
        }
    }

    /// Nothing is ready: waits for another thread or for a deadline.
    fn wait(&'static self) {
        let deadline = self.timers.next();
        if away::is_linked() && self.lead(deadline)
            || self.patience.look(deadline, || !self.letters.is_empty())
        {
            return self.look_outside();
        }
        let Some(deadline) = deadline else { return self.sleep() };
        match self.letters.recv_deadline(deadline) {
            Ok(letter) => self.open(letter),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("a scheduler is never freed"),
        }
        self.look_outside();
    }
}

/// Falling asleep until somebody else wakes it; see `quiet`. It counts as awake while `asleep` is false: whoever makes that
/// false has counted it.
impl Scheduler {
    /// Looks at what comes from other OS processes, if there are any and nobody does, until there is something to do here.
    #[cold]
    fn lead(&'static self, deadline: Option<Instant>) -> bool {
        let busy = || !self.ready.is_empty() || !self.letters.is_empty();
        self.leading.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        loop {
            let _ = away::lead(&busy, deadline, &mut || {
                if deadline.is_none() && !self.asleep.load(Ordering::SeqCst) {
                    self.falls_asleep();
                }
            });
            self.wakes_if_ready();
            if !self.asleep.load(Ordering::SeqCst) || self.letters.is_empty() {
                break;
            }
            // What is asked of it is answered asleep.
            while self.ready.is_empty()
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

    /// It has a letter.
    fn look_up(&self) {
        if away::is_linked() {
            // Who leads says so, then looks for letters; so here, after the letter.
            fence(Ordering::SeqCst);
            if self.leading.load(Ordering::Relaxed) {
                away::poke();
            }
        }
    }

    fn sleep(&'static self) {
        if self.falls_asleep() {
            let since = Instant::now();
            while self.ready.is_empty() {
                let letter = self.letters.recv().expect("a scheduler is never freed");
                self.open(letter);
            }
            self.patience.slept(since);
            self.wakes_if_ready();
        }
        self.look_outside();
    }

    /// It counts as asleep from now on, unless somebody has woken it already.
    fn falls_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let falls = self.letters.is_empty();
        // Else, if it was counted as woken, it had never slept.
        if falls || !self.asleep.swap(false, Ordering::SeqCst) {
            quiet::fall_asleep();
        }
        falls
    }

    /// Somebody is ready: it counts as awake, though it may still have questions to answer.
    pub(super) fn wakes_if_ready(&self) {
        if !self.ready.is_empty() && self.asleep.swap(false, Ordering::SeqCst) {
            quiet::wake();
        }
    }

    /// From another thread.
    fn post(&self, coroutine: &'static Coroutine) {
        // Before the letter is sent: afterwards it may have been read, and what is asleep is asleep again for long. If it falls
        // asleep only now, it counts itself when it reads the letter; who looks meanwhile reads it first.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            quiet::wake();
        }
        self.inbox.send(Some(coroutine)).expect("a scheduler is never freed");
        self.look_up();
    }
}

/// Looking at a scheduler, for whatever thread.
impl Scheduler {
    pub(super) fn agent(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Takes in what wakes its processes, and nothing else; on its own thread.
    pub(super) fn take_letters(&'static self) {
        while let Ok(letter) = self.letters.try_recv() {
            if let Some(coroutine) = letter {
                coroutine.wake();
            }
        }
        futures::take_letters();
    }

    /// What the process of this context waits for, if it is one of this scheduler's and parked.
    pub(super) fn why(&'static self, context: usize) -> Option<&'static dyn Blocked> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut coroutines = self.host.get().into_iter().chain(all.iter().copied());
        let found =
            coroutines.find(|coroutine| ptr::from_ref(coroutine.context()).addr() == context);
        match found {
            Some(found) => found.context().berth.shown().filter(|_| found.deadline().is_none()),
            None => futures::why(context),
        }
    }

    pub(super) fn all() -> Vec<&'static Self> {
        let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.into_iter().filter(|scheduler| scheduler.in_use.load(Ordering::Acquire)).collect()
    }

    /// Tells whose turn it is, and which, unless it is that of the thread itself.
    pub(super) fn turn(&self, tell: &mut dyn FnMut(usize, Turn, &str)) {
        let running = self.running.load(Ordering::Relaxed);
        let number = self.turns.load(Ordering::Relaxed);
        if ptr::eq(running, self.own.load(Ordering::Relaxed)) {
            return;
        }
        // SAFETY: a context is never freed.
        let process = unsafe { running.as_ref() }
            .and_then(|context| context.shown(|of| (of.who(), of.of.path(of.index))));
        if let Some((who, path)) = process {
            tell(self.agent(), Turn { who, number }, &path);
        }
    }

    pub(super) fn is_of_this_thread(&'static self) -> bool {
        SCHEDULER.get().is_some_and(|scheduler| ptr::eq(scheduler, self))
    }

    /// Answers what this thread has been asked, if it is a scheduler.
    pub(super) fn answer_now() {
        if let Some(scheduler) = SCHEDULER.get() {
            scheduler.questions.answer(scheduler);
        }
    }

    pub(super) fn questions(&self) -> &Questions {
        &self.questions
    }

    /// Lets it see that there is a question.
    pub(super) fn alert(&self) {
        self.inbox.send(None).expect("a scheduler is never freed");
        self.look_up();
    }

    /// Shows its processes; on its own thread.
    pub(super) fn show(&'static self, observer: &mut dyn Observer) {
        observer.agent(self.agent());
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
        let unstarted = self.unstarted.borrow();
        for Unstarted { work, next, count, .. } in
            unstarted.iter().filter(|next| next.work.is_seen())
        {
            let first = Identity { of: work.clone(), index: *next };
            observer.unstarted(&first, count - next);
        }
        futures::show(observer);
    }

    /// Shows what can be shown of a scheduler that does not answer: who keeps it from that.
    pub(super) fn show_busy(&'static self, observer: &mut dyn Observer) {
        observer.agent(self.agent());
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

/// How a coroutine waits that is still being made: not at all.
struct Unset;

impl Park for Unset {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("no process runs there yet")
    }

    fn unpark(&self) {
        unreachable!("no process runs there yet")
    }
}
