//! A coroutine: a process or an idle fiber, and its way to wait.
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

use super::marks;
use super::scheduler::{SCHEDULER, Scheduler, TURNS};
use super::timers::Timed;
use crate::process::work::{self, Work};
use crate::stack::engine::{self, Fiber, Suspender};
use crate::sync::inbox::{Link, Linked};
use crate::wait::blocked::Blocked;
use crate::wait::park::{self, Context, Park};

/// The fields that a switch touches come first, in one cache line: the fiber, and the context's berth (its
/// intrusive run-queue node).
#[repr(C, align(64))]
pub(super) struct Coroutine {
    /// `None` for the host, or for a coroutine that has lost its fiber.
    pub(super) fiber: UnsafeCell<Option<Fiber>>,
    pub(super) own: Context,
    pub(super) scheduler: &'static Scheduler,
    /// The host's context, which belongs to its thread and is not `own`. It changes only between two threads.
    pub(super) of_thread: Cell<Option<&'static Context>>,
    pub(super) suspender: Cell<Option<Suspender>>,
    pub(super) stack: Cell<usize>,
    /// The number of times that it has begun to wait for a deadline.
    pub(super) armings: Cell<u64>,
    /// The deadline that was armed last.
    pub(super) deadline: Cell<Option<Instant>>,
    link: Link<Self>,
}

impl Linked for Coroutine {
    #[inline(always)]
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

// SAFETY: other threads use only `scheduler` and its `inbox`, and `link` as the inbox does. The other fields belong to its own
// thread.
unsafe impl Sync for Coroutine {}

/// Finishes fibers while the engine's thread-local data still exists. It is made after that data, and so dropped
/// before it.
struct Tidy;

impl Drop for Tidy {
    fn drop(&mut self) {
        let host = SCHEDULER.get().and_then(|scheduler| scheduler.host.get());
        // At exit this may run on the stack of any process.
        if let Some(host) = host.filter(|host| ptr::eq(park::current(), host.context())) {
            host.scheduler.finish_idle(host);
        }
    }
}

std::thread_local! {
    static TIDY: Tidy = const { Tidy };
}

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
            _ => self.scheduler.inbox.put(this, self.scheduler),
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
        let scheduler = self.scheduler;
        scheduler.ready.is_empty()
            && scheduler.unstarted.look().is_empty()
            && scheduler.share.knows_none()
    }
}

impl Timed for Coroutine {
    #[inline(always)]
    fn context(&'static self) -> &'static Context {
        Self::context(self)
    }

    fn armings(&self) -> &Cell<u64> {
        &self.armings
    }

    fn armed_until(&self) -> &Cell<Option<Instant>> {
        &self.deadline
    }
}

impl Coroutine {
    /// Makes a coroutine. `of_thread` is explained at the field.
    pub(super) fn new(
        scheduler: &'static Scheduler,
        of_thread: Option<&'static Context>,
    ) -> &'static Self {
        let this = Box::leak(Box::new(Self {
            fiber: UnsafeCell::new(None),
            own: Context::new(&Unset),
            scheduler,
            of_thread: Cell::new(of_thread),
            suspender: Cell::new(None),
            stack: Cell::new(0),
            armings: Cell::new(0),
            deadline: Cell::new(None),
            link: Link::new(),
        }));
        // `Coroutine::of` needs the exposed provenance.
        ptr::from_ref(this).expose_provenance();
        this.take_up();
        this
    }

    /// Makes its context wait as a coroutine of this scheduler from now on.
    pub(super) fn take_up(&'static self) {
        self.context().park_with(self);
        self.context().queue_at(Some(&self.scheduler.ready));
    }

    /// Returns the coroutine that owns this context.
    #[inline(always)]
    pub(super) fn of(context: &'static Context) -> &'static Self {
        let this = ptr::from_ref(context).addr() - offset_of!(Self, own);
        // SAFETY: by the caller's promise this is the address of a coroutine. `new` made and exposed it, and it is
        // never freed.
        unsafe { &*ptr::with_exposed_provenance(this) }
    }

    #[inline(always)]
    pub(super) fn context(&'static self) -> &'static Context {
        self.of_thread.get().unwrap_or(&self.own)
    }

    /// Returns the time at which it wakes without a partner, if it has one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().filter(|_| self.forever().context().berth.armed.get())
    }

    #[inline(always)]
    pub(super) fn forever(&self) -> &'static Self {
        // SAFETY: `new` makes every coroutine, and leaks it.
        unsafe { &*std::ptr::from_ref(self) }
    }

    /// Leaves the thread to others until its turn comes. Only the process itself calls this.
    #[inline(always)]
    pub(super) fn leave(&self) {
        match self.suspender.get() {
            // SAFETY: a process leaves from its own stack.
            Some(suspender) => unsafe { suspender.suspend() },
            None => self.scheduler.run(),
        }
    }

    /// Wakes the coroutine. Only its own thread calls this.
    #[inline(always)]
    pub(super) fn wake(&'static self) {
        let context = self.context();
        if context.berth.parked.replace(false) {
            self.scheduler.timers.disarm(self);
            self.scheduler.ready.push(context);
        } else {
            context.berth.token.set(true);
        }
    }

    /// Runs the coroutine until it parks or is idle.
    #[inline(always)]
    pub(super) fn resume(&'static self, scheduler: &'static Scheduler) {
        park::switch_to(&self.own);
        scheduler.shows_running(&self.own);
        // SAFETY: nobody else touches the fiber while its coroutine is ready or idle.
        let fiber = unsafe { &*self.fiber.get() };
        if !fiber.as_ref().expect("all but the host have one").resume() {
            self.finish();
        }
    }

    /// Handles the end of its fiber.
    #[inline(never)]
    pub(super) fn finish(&'static self) {
        // SAFETY: the fiber no longer runs, and only its coroutine knows it.
        unsafe { *self.fiber.get() = None };
        self.scheduler.live.set(self.scheduler.live.get() - 1);
        self.scheduler.spent.borrow_mut().push(self);
    }

    /// The body of its fiber: runs one process after another. `refusing` says that the fiber was made to refuse
    /// processes.
    pub(super) fn live(&'static self, suspender: Suspender, refusing: bool) {
        self.suspender.set(Some(suspender));
        self.own.berth.suspender.set(suspender.inlined());
        let scheduler = self.scheduler;
        // A thread that has lost its `TIDY` already finishes its fibers later.
        let _ = TIDY.try_with(|_| ());
        while !scheduler.ending.get() {
            // The job of the last process. The next process may belong to it too.
            let mut held = None;
            scheduler.share.begins_batch();
            if refusing {
                self.refuse_some(&mut held);
            } else if scheduler.share.knows_none() {
                self.run_some(&mut held, Scheduler::take_first);
            } else {
                self.run_known(&mut held);
            }
            scheduler.share.ends_batch();
            // The fiber is kept for the next process, unless enough are idle.
            drop(held);
            if refusing {
                scheduler.reserve.set(Some(self));
            } else {
                let mut idle = scheduler.idle.borrow_mut();
                if idle.len() >= engine::worth_keeping() {
                    return;
                }
                idle.push(self);
            }
            // SAFETY: this is the fiber's own stack.
            unsafe { suspender.suspend() };
        }
    }
}

/// Takes a process that has not started, for a stack of this size.
type Take = fn(&Scheduler, usize, &mut Option<Arc<dyn Work>>) -> Option<usize>;

impl Coroutine {
    /// Runs one process after another, until another coroutine is ready.
    #[inline(always)]
    fn run_some(&self, held: &mut Option<Arc<dyn Work>>, take: Take) {
        let (scheduler, stack) = (self.scheduler, self.stack.get());
        for _ in 0..TURNS {
            let Some(index) = take(scheduler, stack, held) else { break };
            let work = held.as_ref().expect("it was just taken");
            match scheduler.share.begins() {
                true => scheduler.share.run_measured(scheduler, work, index),
                false => marks::run(work, index),
            }
            if !scheduler.ready.is_empty() {
                break;
            }
        }
    }

    /// Does the same while there are processes that are known to be brief.
    #[cold]
    #[inline(never)]
    fn run_known(&self, held: &mut Option<Arc<dyn Work>>) {
        self.run_some(held, Scheduler::take_unstarted);
    }

    /// Refuses one process after another, until there is no reason left or another coroutine is ready.
    #[cold]
    #[inline(never)]
    fn refuse_some(&self, held: &mut Option<Arc<dyn Work>>) {
        let scheduler = self.scheduler;
        for _ in 0..TURNS {
            let Some(why) = scheduler.refusing.borrow().clone() else { break };
            let Some(index) = scheduler.take_unstarted(self.stack.get(), held) else { break };
            scheduler.share.begins_refused();
            work::refuse(held.as_ref().expect("it was just taken"), index, &why);
            if !scheduler.ready.is_empty() {
                break;
            }
        }
    }
}

/// The wait of a coroutine that is still being made: it can't wait yet.
struct Unset;

impl Park for Unset {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("no process runs there yet")
    }

    fn unpark(&self) {
        unreachable!("no process runs there yet")
    }
}
