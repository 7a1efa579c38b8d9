//! How a process waits, and what the floors below need to know of the process that runs.
//!
//! [`Park`] is all a backend tells a channel. It counts: every commit of a waiter is followed by
//! exactly one `unpark`, which the waiter takes with exactly one successful `park`. So there is no
//! spurious wake-up to guard against, and what a waiter has on its stack stays there until whoever
//! committed it has done with it.
//!
//! A plain thread (`main` too) is a process like any other; it waits with [`ThreadPark`].

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::time::Instant;

use crate::backend::away;
use crate::backend::slab::Suspender;
use crate::blocked::Blocked;
use crate::holders::Who;
use crate::patience::Patience;
use crate::quiet;
use crate::sleeping::Sleeping;
use crate::sync::{self, AtomicU32, Ordering, Shown, per_thread, thread};
use crate::termination::{Cause, Poison, Termination};

/// Parks one process, wakes another.
pub(crate) trait Park: Sync {
    /// Waits for the next `unpark`, or the one that has already come, and takes it. False when the
    /// deadline came first. Only the process itself calls this.
    fn park(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool;

    /// Lets the process out of the `park` it is in or will come to. Any thread may call this.
    fn unpark(&self);

    /// Another way of waiting takes this one's place.
    fn replaced(&self) {}

    /// Whether its thread has nothing else to run while this process waits.
    fn is_alone(&self) -> bool {
        false
    }

    /// Waits for something that no `unpark` tells of; `why` says what, to those who look. Only the process itself calls this.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    fn wait_outside(&self, _why: &dyn Blocked, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Whether its thread waits for nothing else until the `unpark` comes, and looks at what comes from other OS processes meanwhile.
    fn is_thread(&self) -> bool {
        false
    }

    /// Lets the other processes of its thread go on for a while, if it has any. Only the process itself calls this.
    fn pass(&self) {}

    /// Whether its thread may have other processes, which go on while it is parked.
    fn has_company(&self) -> bool {
        false
    }

    /// [`unpark`](Self::unpark) of a waiter, of which `state` is: where that is awaited it is marked as woken first.
    #[inline]
    fn wake_awaiting(&self, _state: &sync::AtomicU32) {
        self.unpark();
    }

    /// An operation that is awaited stands, and `why` is what it waits for; until it says [`forgets`](Self::forgets) of it.
    fn awaits(&self, _why: NonNull<dyn Blocked>) {}

    /// That operation stands no longer.
    fn forgets(&self, _why: *const ()) {}

    /// Whether an operation that is awaited, and polled with this waker from now on, still wakes the right one.
    fn is_for(&self, _waker: &std::task::Waker) -> bool {
        false
    }
}

/// A process that is a future, while it is polled.
pub(crate) trait Polled {
    fn identity(&self) -> Identity;
    /// The same, lent.
    fn named(&self) -> (&dyn Named, usize);

    fn write_path(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (of, index) = self.named();
        of.write_path(index, out)
    }
}

/// Is shown processes, one after the other, each while it can't change what it does.
pub(crate) trait Observer {
    /// What follows belongs to this thread, or scheduler.
    fn agent(&mut self, agent: usize);
    fn process(&mut self, process: Subject<'_>, activity: Activity<'_>);
    /// So many processes of this name have not started.
    #[allow(dead_code, reason = "coroutines may not have")]
    fn unstarted(&mut self, first: &Identity, count: usize);
}

/// A process that is shown.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    Context(&'static Context),
    /// One that is a future, on its own thread.
    #[allow(dead_code, reason = "for coroutines")]
    Polled(&'a dyn Polled),
}

impl Subject<'_> {
    /// Shows who it is, if it is somebody; see [`Context::shown`].
    pub(crate) fn shown<R>(&self, look: impl FnOnce(&Identity) -> R) -> Option<R> {
        match self {
            Self::Context(context) => context.shown(look),
            Self::Polled(polled) => Some(look(&polled.identity())),
        }
    }

    /// Who it is, if it is somebody; the group that waits for its end; whether it is a daemon.
    pub(crate) fn known(&self) -> Option<(Who, usize, bool)> {
        let known = |of: &dyn Named, index| (who_is(of, index), of.group(), of.is_daemon());
        match self {
            Self::Context(context) => {
                context.shown(|identity| known(&*identity.of, identity.index))
            }
            Self::Polled(polled) => {
                let (of, index) = polled.named();
                Some(known(of, index))
            }
        }
    }

    /// See [`Context::hide`].
    pub(crate) fn is_hidden(&self) -> bool {
        match self {
            Self::Context(context) => context.is_hidden(),
            Self::Polled(_) => false,
        }
    }

    /// Tells it from every other that is alive.
    pub(crate) fn address(&self) -> usize {
        match self {
            Self::Context(context) => std::ptr::from_ref(*context).addr(),
            Self::Polled(polled) => std::ptr::from_ref(*polled).addr(),
        }
    }
}

/// What a process is seen doing.
#[derive(Clone, Copy)]
pub(crate) enum Activity<'a> {
    Running,
    /// It could run.
    Ready,
    Blocked {
        why: &'a dyn Blocked,
        deadline: Option<Instant>,
    },
    /// Its thread is busy with another and does not answer: it waits, for whatever.
    #[allow(dead_code, reason = "a coroutine may be")]
    Unseen,
}

/// Who a process is: one of the replicas of something with a name and a parent.
pub(crate) trait Named: Send + Sync {
    /// Writes `worker[3]`. A signal handler may: nothing is allocated or locked, and nothing panics.
    fn write_name(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Writes `main/worker[3]`, likewise.
    fn write_path(&self, index: usize, out: &mut dyn fmt::Write) -> fmt::Result;

    fn name(&self, index: usize) -> String {
        let mut name = String::new();
        let _ = self.write_name(index, &mut name);
        name
    }

    fn path(&self, index: usize) -> String {
        let mut path = String::new();
        let _ = self.write_path(index, &mut path);
        path
    }

    /// Address of the group that waits for it; 0: none.
    fn group(&self) -> usize {
        0
    }

    fn is_daemon(&self) -> bool {
        false
    }

    /// Whether it, or who has started it, is a daemon.
    fn is_background(&self) -> bool {
        false
    }

    /// Whether it is a plain thread.
    fn is_thread(&self) -> bool {
        false
    }

    /// Who asks for what it leaves behind: see `leaks`.
    fn scope(&self) -> u32 {
        0
    }
}

/// The processes that one process has spawned.
pub(crate) trait Children: std::any::Any + Send + Sync {
    /// Waits until all have ended.
    fn wait(&self);
}

/// A process as its children and its poison remember it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) of: Arc<dyn Named>,
    pub(crate) index: usize,
}

impl Identity {
    pub(crate) fn who(&self) -> Who {
        who_is(&*self.of, self.index)
    }
}

fn who_is(of: &dyn Named, index: usize) -> Who {
    Who { job: std::ptr::from_ref(of).addr(), index }
}

/// Where a coroutine leaves its thread to others, and what it takes to give it the thread again: with the fiber, which stands
/// before it, one cache line.
///
/// This much of a backend the floors above have to know. Of the engine `slab` the switch of stacks must be compiled into
/// the process that parks: in a function of its own, the `ret` after the switch is one that the processor has predicted for
/// the stack before, and takes 17 to 25 ns instead of 7. And to be woken by another process of its thread is no more than to
/// be put into a queue.
///
/// Touched by its own thread only, but for `ready`.
#[repr(C)]
pub(crate) struct Berth {
    /// None: it parks in another way.
    pub(crate) suspender: Cell<Option<Suspender>>,
    /// What it waits for; good while it is parked.
    why: Cell<Option<NonNull<dyn Blocked>>>,
    /// The queue of its thread, if that has one. Changed by that thread only; any may look.
    ready: AtomicPtr<Ready>,
    next: Cell<Option<&'static Context>>,
    pub(crate) parked: Cell<bool>,
    /// It was unparked while it was not parked.
    pub(crate) token: Cell<bool>,
    /// It waits for a deadline.
    pub(crate) armed: Cell<bool>,
    /// It woke because its deadline came.
    pub(crate) late: Cell<bool>,
    /// A poison has reached the process.
    stopped: Cell<bool>,
    /// Whoever runs here polls others, and one of them runs: it can't wait.
    polls: Cell<bool>,
}

/// The processes of one thread that could go on, first in first out.
pub(crate) struct Ready {
    first: Cell<Option<&'static Context>>,
    last: Cell<Option<&'static Context>>,
}

impl Ready {
    #[allow(dead_code, reason = "for coroutines")]
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(None), last: Cell::new(None) }
    }

    #[allow(dead_code, reason = "for coroutines")]
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    #[inline(always)]
    pub(crate) fn push(&self, context: &'static Context) {
        match self.last.replace(Some(context)) {
            Some(last) => last.berth.next.set(Some(context)),
            None => self.first.set(Some(context)),
        }
    }

    #[allow(dead_code, reason = "for coroutines")]
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static Context> {
        let first = self.first.get()?;
        let next = first.berth.next.take();
        self.first.set(next);
        match next {
            Some(next) => next.berth.is_next(),
            None => self.last.set(None),
        }
        Some(first)
    }
}

#[allow(unsafe_code)]
impl Berth {
    /// It has the next turn, and others come after it. What it takes to resume it is fetched, and the berth of the one behind it,
    /// which is asked for the same a turn later.
    #[allow(dead_code, reason = "for coroutines")]
    #[inline(always)]
    fn is_next(&self) {
        if let Some(second) = self.next.get() {
            sync::prefetch(second);
            if let Some(why) = self.why.get() {
                // On its stack, beside what it goes on with.
                sync::prefetch(why.as_ptr().cast::<u8>().wrapping_sub(64));
                sync::prefetch(why.as_ptr().cast::<u8>());
            }
            Suspender::prefetch(self.suspender.get());
        }
    }

    /// Shows what the process waits for that is about to park.
    #[inline(always)]
    pub(crate) fn show(&self, why: &dyn Blocked) {
        // SAFETY: only the lifetime changes; it is used while the process is parked for this.
        let why = unsafe {
            std::mem::transmute::<NonNull<dyn Blocked + '_>, NonNull<dyn Blocked>>(NonNull::from(
                why,
            ))
        };
        self.why.set(Some(why));
    }

    /// What the process waits for, if it is parked; on its own thread.
    #[allow(dead_code, reason = "for coroutines")]
    pub(crate) fn shown(&self) -> Option<&dyn Blocked> {
        let why = self.why.get().filter(|_| self.parked.get())?;
        // SAFETY: it is parked, and goes on on this thread alone.
        Some(unsafe { why.as_ref() })
    }
}

/// What a process that runs carries with it. Never freed, only used again; touched by its own thread only,
/// except where it says otherwise.
#[repr(C)]
pub(crate) struct Context {
    pub(crate) berth: Berth,
    park: Cell<&'static dyn Park>,
    /// None: no process runs here. Other threads may look.
    identity: Shown<Option<Lent>>,
    /// The poison that reached it last, while it has not communicated since.
    stopping: RefCell<Option<Poison>>,
    /// `on_panic = retire`
    retire_on_panic: Cell<bool>,
    /// Nobody is to see it any more: it has done all that it does, and may have been joined. Other threads may look.
    hidden: AtomicBool,
    /// Where each alternation of this process looks first, the next time.
    pub(crate) wheels: Wheels,
    /// What the floors above keep with a process.
    pub(crate) children: RefCell<Option<Arc<dyn Children>>>,
    /// What the backend puts in order when the thread ends.
    pub(crate) at_exit: Cell<Option<fn()>>,
    /// The process that is polled here.
    polled: Cell<Option<&'static dyn Polled>>,
}

/// What a process that is a future carries with it from one poll to the next, if it has any of it.
#[derive(Default)]
pub(crate) struct Kept {
    stopping: Option<Poison>,
    wheels: Table,
    children: Option<Arc<dyn Children>>,
}

per_thread! {
    static CURRENT: Cell<Option<&'static Context>> = Cell::new(None);
}

/// The process that runs on this thread now.
#[inline(always)]
pub(crate) fn current() -> &'static Context {
    match CURRENT.with(Cell::get) {
        Some(context) => context,
        None => adopt(),
    }
}

/// The thread has done something for others: what that spawned ends, and what poison it met is forgotten.
pub(crate) fn clear_errand() {
    if let Some(context) = CURRENT.with(Cell::get) {
        let children = context.children.take();
        if let Some(children) = children {
            children.wait();
        }
        context.recover();
    }
}

/// Writes the path of the process that runs on this thread, if one does; for a signal handler (see [`Named`]).
#[allow(dead_code, reason = "only coroutines have stacks that the library answers for")]
pub(crate) fn write_path(out: &mut dyn fmt::Write) -> fmt::Result {
    let context = CURRENT.with(Cell::get).ok_or(fmt::Error)?;
    if let Some(polled) = context.polled.get() {
        return polled.write_path(out);
    }
    let write = |identity: &Option<Lent>| {
        let Identity { of, index } = identity.as_deref().ok_or(fmt::Error)?;
        of.write_path(*index, out)
    };
    context.identity.mine_now(write).ok_or(fmt::Error)?
}

/// Makes `context` the one that runs; for schedulers.
#[inline(always)]
pub(crate) fn switch_to(context: &'static Context) {
    CURRENT.with(|current| current.set(Some(context)));
}

impl Context {
    pub(crate) fn new(park: &'static dyn Park) -> Self {
        Self {
            berth: Berth {
                suspender: Cell::new(None),
                why: Cell::new(None),
                ready: AtomicPtr::new(std::ptr::null_mut()),
                next: Cell::new(None),
                parked: Cell::new(false),
                token: Cell::new(false),
                armed: Cell::new(false),
                late: Cell::new(false),
                stopped: Cell::new(false),
                polls: Cell::new(false),
            },
            park: Cell::new(park),
            identity: Shown::new(None),
            stopping: RefCell::new(None),
            retire_on_panic: Cell::new(false),
            hidden: AtomicBool::new(false),
            wheels: Wheels::new(),
            children: RefCell::new(None),
            at_exit: Cell::new(None),
            polled: Cell::new(None),
        }
    }

    #[inline(always)]
    pub(crate) fn park(&self) -> &'static dyn Park {
        self.park.get()
    }

    /// From now on it is put into this queue when its own thread wakes it, or into none. Only that thread calls this.
    #[allow(dead_code, reason = "for coroutines")]
    pub(crate) fn queue_at(&self, ready: Option<&'static Ready>) {
        let ready =
            ready.map_or(std::ptr::null_mut(), |ready| std::ptr::from_ref(ready).cast_mut());
        self.berth.ready.store(ready, Ordering::Relaxed);
    }

    /// [`Park::unpark`], where the process is a coroutine of the thread that calls this, is parked, and waits for no
    /// deadline; else false, and nothing is done.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub(crate) fn unpark_here(&'static self) -> bool {
        let berth = &self.berth;
        let ready = berth.ready.load(Ordering::Relaxed);
        let here = CURRENT.with(Cell::get);
        let is_here = here.is_some_and(|here| here.berth.ready.load(Ordering::Relaxed) == ready);
        // SAFETY: it was made of a reference that is good for ever.
        let Some(ready) = (unsafe { ready.as_ref() }) else { return false };
        // What is of another thread is not even looked at.
        let woken = is_here && berth.parked.get() && !berth.armed.get();
        if woken {
            berth.parked.set(false);
            ready.push(self);
        }
        woken
    }

    /// [`Park::park`] of the process that runs.
    #[inline(always)]
    pub(crate) fn wait(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        let Berth { suspender, parked, token, .. } = &self.berth;
        match (suspender.get(), deadline) {
            (Some(suspender), None) => {
                if !token.take() {
                    self.berth.show(why);
                    parked.set(true);
                    suspend(suspender);
                }
                true
            }
            _ => self.park.get().park(why, deadline),
        }
    }

    /// [`Park::pass`] of the process that runs; one that unwinds keeps its thread.
    pub(crate) fn pass(&self) {
        if !std::thread::panicking() {
            self.park.get().pass();
        }
    }

    /// From now on the process waits in another way: its thread has become a scheduler.
    pub(crate) fn park_with(&self, park: &'static dyn Park) {
        self.park.replace(park).replaced();
    }

    /// A process begins: nothing of the one before is left. It is one of `of`, which is lent for as long as it runs: nothing
    /// is counted.
    ///
    /// # Safety
    /// `of` is what an `Arc` points to, and what is returned is given to [`end`](Self::end) before the last of these is dropped.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn begin(
        &self,
        of: *const dyn Named,
        index: usize,
        retire_on_panic: bool,
    ) -> Before {
        // SAFETY: the caller's promise; it is never dropped.
        let of = unsafe { Arc::from_raw(of) };
        self.begin_as(Lent::new(Identity { of, index }), retire_on_panic)
    }

    /// As `begin`, of a process that leaves its identity to nobody.
    #[inline]
    pub(crate) fn begin_as(&self, identity: Lent, retire_on_panic: bool) -> Before {
        self.communicated();
        self.wheels.clear();
        // Only this thread changes it.
        let hidden = self.hidden.load(Ordering::Relaxed);
        let before = Before {
            identity: self.identity.replace(Some(identity)),
            retire_on_panic: self.retire_on_panic.replace(retire_on_panic),
            hidden,
        };
        self.hidden.store(false, Ordering::Release);
        before
    }

    /// The process that runs is about to tell of its end: from then on people do not see it.
    pub(crate) fn hide(&self) {
        self.hidden.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden.load(Ordering::Acquire)
    }

    /// A process has ended; its thread is again what it was before.
    pub(crate) fn end(&self, before: Before) {
        self.communicated();
        self.retire_on_panic.set(before.retire_on_panic);
        self.identity.replace(before.identity);
        // After the identity has changed.
        self.hidden.store(before.hidden, Ordering::Release);
    }

    /// From now on `polled` is the process that runs here, and this what it has kept.
    #[inline]
    pub(crate) fn resume(
        &self,
        polled: &'static dyn Polled,
        kept: Option<&mut Kept>,
        retire_on_panic: bool,
    ) {
        self.polled.set(Some(polled));
        self.berth.polls.set(true);
        self.retire_on_panic.set(retire_on_panic);
        if let Some(Kept { stopping, wheels, children }) = kept {
            self.berth.stopped.set(stopping.is_some());
            self.stopping.replace(stopping.take());
            if wheels.used.get() {
                self.wheels.table().swap(wheels);
            }
            self.children.replace(children.take());
        }
    }

    /// It is polled no longer. What it is to keep, if anything.
    #[inline]
    pub(crate) fn suspend(&self) -> Option<Kept> {
        self.polled.set(None);
        self.berth.polls.set(false);
        let kept = self.berth.stopped.get()
            || self.wheels.used().is_some()
            || self.children.borrow().is_some();
        kept.then(|| self.keep())
    }

    #[cold]
    fn keep(&self) -> Kept {
        let kept = Kept {
            stopping: self.stopping.take().filter(|_| self.berth.stopped.replace(false)),
            wheels: Table::default(),
            children: self.children.take(),
        };
        if let Some(used) = self.wheels.used() {
            used.swap(&kept.wheels);
        }
        kept
    }

    /// Whether the process that runs is a future: it awaits and does not wait.
    #[inline(always)]
    pub(crate) fn is_polled(&self) -> bool {
        self.berth.polls.get()
    }

    pub(crate) fn identity(&self) -> Identity {
        if let Some(polled) = self.polled.get() {
            return polled.identity();
        }
        let identity = self.identity.mine(|identity| identity.as_deref().cloned());
        identity.expect("a process that runs has begun")
    }

    /// Shows the process that runs here, if one does; any thread may look. It is not handed out, for its last
    /// owner drops what is the user's.
    pub(crate) fn shown<R>(&self, look: impl FnOnce(&Identity) -> R) -> Option<R> {
        let look = |identity: &Option<Lent>| identity.as_deref().map(look);
        match self.is_of_this_thread() {
            true => self.identity.mine(look),
            false => self.identity.look(look),
        }
    }

    /// Whether it is the current thread that it belongs to; that of a scheduler has many.
    fn is_of_this_thread(&self) -> bool {
        let ready = self.berth.ready.load(Ordering::Relaxed);
        CURRENT.with(Cell::get).is_some_and(|here| {
            std::ptr::eq(here, self)
                || !ready.is_null() && here.berth.ready.load(Ordering::Relaxed) == ready
        })
    }

    /// The process that runs, told apart from all others.
    pub(crate) fn who(&self) -> Who {
        if let Some(polled) = self.polled.get() {
            let (of, index) = polled.named();
            return who_is(of, index);
        }
        self.shown(Identity::who).expect("a process that runs has begun")
    }

    /// The poison that it has met, if it has not communicated since.
    pub(crate) fn poison(&self) -> Option<Poison> {
        self.stopping.borrow().clone()
    }

    /// No process is seen here: others are polled, which are shown by those who poll them.
    #[allow(dead_code, reason = "for coroutines")]
    pub(crate) fn be_nobody(&self) {
        self.identity.replace(None);
    }

    /// The deadlock that has stopped the process, if one has and it has not communicated since.
    pub(crate) fn deadlock(&self) -> Option<Poison> {
        if !self.berth.stopped.get() {
            return None;
        }
        let stopping = self.stopping.borrow();
        stopping.as_ref().filter(|p| matches!(p.cause(), Cause::Deadlock(_))).cloned()
    }

    pub(crate) fn name(&self) -> String {
        let identity = self.identity();
        identity.of.name(identity.index)
    }

    pub(crate) fn path(&self) -> String {
        let identity = self.identity();
        identity.of.path(identity.index)
    }

    /// The process has communicated: whatever poison it met, it got over.
    #[inline(always)]
    pub(crate) fn communicated(&self) {
        if self.berth.stopped.get() {
            self.recover();
        }
    }

    #[cold]
    fn recover(&self) {
        self.berth.stopped.set(false);
        self.stopping.replace(None);
    }

    /// The process has met the end of a channel.
    #[cold]
    pub(crate) fn met(&self, termination: &Termination) {
        if let Termination::Poisoned(poison) = termination {
            self.stop(poison.clone());
        }
    }

    /// Whether a poison stops it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.berth.stopped.get()
    }

    pub(crate) fn stop(&self, poison: Poison) {
        self.stopping.replace(Some(poison));
        self.berth.stopped.set(true);
    }

    /// `on_panic = retire`
    pub(crate) fn retires_on_panic(&self) -> bool {
        self.retire_on_panic.get()
    }

    /// What an end dropped now leaves behind: the poison that stops the process, or retirement.
    pub(crate) fn legacy(&self) -> Termination {
        // A process never waits while it unwinds, so a thread that panics means: this process does.
        if std::thread::panicking() {
            return match self.retire_on_panic.get() {
                true => Termination::Retired,
                false => Termination::Poisoned(self.panic_poison()),
            };
        }
        match &*self.stopping.borrow() {
            Some(poison) => Termination::Poisoned(poison.clone()),
            None => Termination::Retired,
        }
    }

    /// The poison of the panic that unwinds this process: one for all its ends.
    pub(crate) fn panic_poison(&self) -> Poison {
        if let Some(poison) = &*self.stopping.borrow()
            && match poison.cause() {
                Cause::Panic { process, .. } => *process == self.path(),
                // What it panics of, most likely; and what others are to hear.
                Cause::Deadlock(_) => true,
                _ => false,
            }
        {
            return poison.clone();
        }
        let (message, place) = last_panic::get();
        let poison = Poison::new(Cause::Panic { process: self.path(), message, place });
        self.stop(poison.clone());
        poison
    }
}

/// Where the alternations of a process look first. Few processes have any: the numbers are made for the first one that runs here,
/// and are never freed, as what they belong to is not.
pub(crate) struct Wheels(Cell<Option<&'static Table>>);

impl Wheels {
    const fn new() -> Self {
        Self(Cell::new(None))
    }

    #[inline(always)]
    pub(crate) fn get(&self, place: usize) -> usize {
        self.table().get(place)
    }

    /// After `get` of the same place.
    #[inline(always)]
    pub(crate) fn set(&self, place: usize, turn: usize) {
        self.table().near(place).set((place, turn));
    }

    #[inline(always)]
    fn table(&self) -> &'static Table {
        self.0.get().unwrap_or_else(|| self.make())
    }

    #[cold]
    #[inline(never)]
    fn make(&self) -> &'static Table {
        let table: &'static Table = Box::leak(Box::default());
        self.0.set(Some(table));
        table
    }

    /// The table, if there is anything in it.
    #[inline(always)]
    fn used(&self) -> Option<&'static Table> {
        self.0.get().filter(|table| table.used.get())
    }

    #[inline(always)]
    fn clear(&self) {
        if let Some(table) = self.used() {
            table.clear();
        }
    }
}

/// A number for each place in the code: those that were used last near at hand, the others in a list.
#[derive(Default)]
struct Table {
    near: [Cell<(usize, usize)>; 4],
    far: RefCell<Vec<(usize, usize)>>,
    used: Cell<bool>,
}

impl Table {
    #[inline(always)]
    fn near(&self, place: usize) -> &Cell<(usize, usize)> {
        &self.near[(place >> 4) % 4]
    }

    #[inline(always)]
    fn get(&self, place: usize) -> usize {
        let (at, turn) = self.near(place).get();
        if at == place { turn } else { self.fetch(place) }
    }

    fn swap(&self, other: &Self) {
        self.near.iter().zip(&other.near).for_each(|(mine, its)| mine.swap(its));
        self.far.swap(&other.far);
        self.used.swap(&other.used);
    }

    #[cold]
    fn fetch(&self, place: usize) -> usize {
        self.used.set(true);
        let mut far = self.far.borrow_mut();
        let found = far.iter().position(|&(at, _)| at == place);
        let entry = found.map_or((place, 0), |found| far.swap_remove(found));
        let replaced = self.near(place).replace(entry);
        if replaced.0 != 0 {
            far.push(replaced);
        }
        entry.1
    }

    #[cold]
    fn clear(&self) {
        self.used.set(false);
        self.near.iter().for_each(|near| near.set((0, 0)));
        self.far.borrow_mut().clear();
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn suspend(suspender: Suspender) {
    // SAFETY: it is of the process that runs, and so of the stack that this is called on.
    unsafe { suspender.suspend() };
}

/// An identity that somebody else drops.
pub(crate) type Lent = ManuallyDrop<Identity>;

/// What [`Context::begin`] replaced.
pub(crate) struct Before {
    identity: Option<Lent>,
    retire_on_panic: bool,
    hidden: bool,
}

/// The process that a plain thread is: it goes by the thread's name.
struct PlainName {
    name: String,
    scope: u32,
}

impl Named for PlainName {
    fn write_name(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.name)
    }

    fn write_path(&self, _: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.name)
    }

    fn is_thread(&self) -> bool {
        true
    }

    fn scope(&self) -> u32 {
        self.scope
    }
}

/// From now on this thread, which runs no other process, goes by this name.
pub(crate) fn rename_thread(name: &str, scope: u32) {
    let of = Arc::new(PlainName { name: name.to_owned(), scope });
    let before = current().identity.replace(Some(Lent::new(Identity { of, index: 0 })));
    drop(before.map(Lent::into_inner));
}

/// A process that unwinds is not to wait for others: this is what its operations return instead.
#[inline(always)]
pub(crate) fn unwinding(context: &Context) -> Option<Termination> {
    #[cold]
    fn instead(context: &Context) -> Termination {
        Termination::Poisoned(context.panic_poison())
    }
    std::thread::panicking().then(|| instead(context))
}

/// A process that is a future would have to wait: it says so, for it would hold up all others of its thread.
#[cold]
#[track_caller]
pub(crate) fn refuse_to_wait(operation: &str, instead: &str) -> ! {
    panic!(
        "{operation} would hold up all other `async` processes of its thread: in one of these write `{instead}`"
    )
}

/// Message and place of the panic that a thread is in, as the hook saw it.
pub(crate) mod last_panic {
    use std::cell::RefCell;
    use std::sync::Once;

    type Record = (String, Option<String>);

    std::thread_local! {
        static LAST: RefCell<Option<Record>> = const { RefCell::new(None) };
    }

    /// From now on panics are remembered, and then shown as they were before.
    pub(crate) fn remember() {
        static ONCE: Once = Once::new();
        // A thread that panics may not touch the hook: one that comes later will.
        if std::thread::panicking() {
            return;
        }
        ONCE.call_once(|| {
            let shown = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let message = info.payload_as_str().unwrap_or("a value that is not text");
                let place = info.location().map(ToString::to_string);
                let _ =
                    LAST.try_with(|last| *last.borrow_mut() = Some((message.to_owned(), place)));
                shown(info);
            }));
        });
    }

    /// The panic is over.
    pub(crate) fn take() -> Record {
        let last = get();
        let _ = LAST.try_with(|last| last.borrow_mut().take());
        last
    }

    /// A panic of another thread goes on here.
    pub(crate) fn put(record: Record) {
        let _ = LAST.try_with(|last| *last.borrow_mut() = Some(record));
    }

    pub(crate) fn get() -> Record {
        LAST.try_with(|last| last.borrow().clone())
            .ok()
            .flatten()
            .unwrap_or_else(|| ("a panic".to_owned(), None))
    }
}

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const UNPARKED: u32 = 2;
/// Parked with a deadline: it wakes by itself.
const DOZING: u32 = 3;
/// Parked, and looking at what comes from other OS processes meanwhile.
const LEADING: u32 = 4;
/// The same, and counted as asleep, for there was nothing to see.
const LEADING_ASLEEP: u32 = 5;

/// How a plain thread waits. Never freed, only used again by a later thread, so that a late `unpark`
/// finds it whatever became of its thread.
///
/// In cache lines of its own: its partner takes them away with each `unpark`.
#[repr(align(128))]
pub(crate) struct ThreadPark {
    state: AtomicU32,
    patience: Patience,
    thread: sync::Mutex<Option<thread::Thread>>,
    /// A thread uses it that does not schedule others.
    in_use: AtomicBool,
    sleeping: Sleeping,
}

impl ThreadPark {
    fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            patience: Patience::new(),
            thread: sync::Mutex::new(None),
            in_use: AtomicBool::new(false),
            sleeping: Sleeping::new(),
        }
    }

    /// Looks at what comes from other OS processes, if there are any and nobody does; says whether the unpark has come.
    #[inline(always)]
    fn lead(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        away::is_linked() && self.lead_linked(why, deadline)
    }

    #[cold]
    fn lead_linked(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        if !self.turns(EMPTY, LEADING) {
            away::ring();
            return self.take();
        }
        let mut shown = None;
        let until = || self.state.load(Ordering::Relaxed) == UNPARKED;
        let over = away::lead(&until, deadline, &mut || {
            shown.get_or_insert_with(|| self.sleeping.show(why, deadline));
            if deadline.is_none() && self.turns(LEADING, LEADING_ASLEEP) {
                quiet::fall_asleep();
            }
        });
        if over {
            self.state.store(EMPTY, Ordering::Relaxed);
            return true;
        }
        // Before the `unpark` is taken, as in `park`.
        drop(shown);
        if self.turns(LEADING_ASLEEP, EMPTY) {
            quiet::wake();
            return false;
        }
        !self.turns(LEADING, EMPTY) && self.take()
    }

    fn turns(&self, from: u32, to: u32) -> bool {
        self.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes the `unpark` that has come. No other comes before it is taken.
    fn take(&self) -> bool {
        let has_come = self.state.load(Ordering::Acquire) == UNPARKED;
        if has_come {
            self.state.store(EMPTY, Ordering::Relaxed);
        }
        has_come
    }
}

impl Park for ThreadPark {
    fn park(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        if self.lead(why, deadline) || self.patience.look(deadline, || self.take()) || self.take() {
            return true;
        }
        let parked = if deadline.is_none() { PARKED } else { DOZING };
        if self.state.compare_exchange(EMPTY, parked, Ordering::Relaxed, Ordering::Acquire).is_err()
        {
            return self.take();
        }
        let since = Instant::now();
        let shown = self.sleeping.show(why, deadline);
        if deadline.is_none() {
            quiet::fall_asleep();
        }
        let woken = loop {
            match deadline {
                None => thread::park(),
                Some(deadline) => park_until(deadline),
            }
            if self.state.load(Ordering::Relaxed) == UNPARKED {
                self.patience.slept(since);
                break true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break false;
            }
        };
        // Before the `unpark` is taken: who looks meanwhile is to see that it has come.
        drop(shown);
        // An `unpark` that came in between stays for the next `park`.
        (woken
            || self
                .state
                .compare_exchange(DOZING, EMPTY, Ordering::Relaxed, Ordering::Relaxed)
                .is_err())
            && self.take()
    }

    fn wait_outside(&self, why: &dyn Blocked, wait: &mut dyn FnMut()) {
        let shown = self.sleeping.show(why, None);
        quiet::fall_asleep();
        wait();
        // It counts before it hides: who has seen it asleep sees that this is over.
        quiet::wake();
        drop(shown);
    }

    fn replaced(&self) {
        self.in_use.store(false, Ordering::Relaxed);
    }

    fn is_alone(&self) -> bool {
        true
    }

    fn is_thread(&self) -> bool {
        true
    }

    fn unpark(&self) {
        let before = self.state.swap(UNPARKED, Ordering::AcqRel);
        if before == PARKED || before == LEADING_ASLEEP {
            quiet::wake();
        }
        if before == LEADING || before == LEADING_ASLEEP {
            away::poke();
        } else if before == PARKED || before == DOZING {
            // The thread may be gone on with by now; then this wakes it, or a later one, in vain.
            if let Some(thread) = &*self.thread.lock().unwrap() {
                thread.unpark();
            }
        }
    }
}

#[cfg(not(loom))]
fn park_until(deadline: Instant) {
    thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
}
#[cfg(loom)]
fn park_until(_deadline: Instant) {
    // In a model a deadline has always come: every order of timeout and commit is explored.
}

/// Makes this plain thread a process, until it ends.
#[cold]
fn adopt() -> &'static Context {
    last_panic::remember();
    let plain = plain::Plain::take();
    *plain.park.thread.lock().unwrap() = Some(thread::current());
    let context = plain.context;
    context.park_with(plain.park);
    let name = std::thread::current().name().unwrap_or("thread").to_owned();
    let identity = Identity { of: Arc::new(PlainName { name, scope: 0 }), index: 0 };
    // By `rename_thread`, or when the thread ends.
    context.identity.replace(Some(Lent::new(identity)));
    context.hidden.store(false, Ordering::Relaxed);
    switch_to(context);
    plain.park.in_use.store(true, Ordering::Relaxed);
    quiet::join();
    plain::keep_until_exit(plain);
    context
}

pub(crate) mod plain {
    #![allow(unsafe_code)]

    use std::mem::ManuallyDrop;
    use std::sync::PoisonError;
    use std::time::Instant;

    use super::quiet;
    use super::{Activity, CURRENT, Cell, Context, Observer, Ordering, ThreadPark, UNPARKED};
    use crate::blocked::Blocked;
    use crate::sleeping::Look;
    use crate::termination::Poison;

    /// What makes a plain thread a process; taken over from a thread that has ended, where there is one.
    pub(super) struct Plain {
        pub(super) park: &'static ThreadPark,
        pub(super) context: &'static Context,
    }

    // SAFETY: a context is touched by one thread at a time: by its own, and after the end of that,
    // through the mutex below, by the next.
    unsafe impl Send for Plain {}

    static IDLE: std::sync::Mutex<Vec<Plain>> = std::sync::Mutex::new(Vec::new());

    /// All there have ever been, in use or not.
    static ALL: std::sync::Mutex<Vec<Known>> = std::sync::Mutex::new(Vec::new());

    /// A plain thread, for others to look at.
    #[derive(Clone, Copy)]
    struct Known {
        park: &'static ThreadPark,
        context: &'static Context,
    }

    // SAFETY: of the park and of the context only what other threads may see is used.
    unsafe impl Send for Known {}

    /// A plain thread that can't go on meanwhile, if it sleeps.
    pub(crate) struct Held {
        park: &'static ThreadPark,
        context: &'static Context,
        look: Look<'static>,
    }

    /// Those plain threads that are processes now and do not schedule others, one by one.
    pub(crate) fn all() -> impl Iterator<Item = Held> {
        let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = all.into_iter().filter(|plain| plain.park.in_use.load(Ordering::Relaxed));
        all.map(|Known { park, context }| Held { park, context, look: park.sleeping.look() })
    }

    impl Held {
        pub(crate) fn agent(&self) -> usize {
            std::ptr::from_ref(self.park).addr()
        }

        pub(crate) fn context(&self) -> usize {
            std::ptr::from_ref(self.context).addr()
        }

        /// What it waits for, if it sleeps and has not been woken.
        pub(crate) fn why(&self) -> Option<(&dyn Blocked, Option<Instant>)> {
            let woken = self.park.state.load(Ordering::Acquire) == UNPARKED;
            self.look.why().filter(|_| !woken)
        }

        pub(crate) fn show(&self, observer: &mut dyn Observer) {
            observer.agent(self.agent());
            let activity = match self.why() {
                Some((why, deadline)) => Activity::Blocked { why, deadline },
                // It goes on as soon as nobody looks.
                None if self.look.why().is_some() => Activity::Ready,
                None => Activity::Running,
            };
            observer.process(super::Subject::Context(self.context), activity);
        }
    }

    impl Plain {
        pub(super) fn take() -> Self {
            // A model's threads are made anew in each of its executions.
            if !cfg!(loom)
                && let Some(plain) = IDLE.lock().unwrap().pop()
            {
                return plain;
            }
            let park: &'static ThreadPark = Box::leak(Box::new(ThreadPark::new()));
            let context: &'static Context = Box::leak(Box::new(Context::new(park)));
            if !cfg!(loom) {
                let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Known { park, context });
            }
            Self { park, context }
        }
    }

    struct Exit(Cell<Option<Plain>>);

    impl Drop for Exit {
        fn drop(&mut self) {
            if let Some(plain) = self.0.take() {
                plain.context.leave_thread();
                let _ = CURRENT.try_with(|current| current.set(None));
                plain.park.in_use.store(false, Ordering::Relaxed);
                quiet::leave();
                drop(plain.context.identity.replace(None).map(ManuallyDrop::into_inner));
                *plain.park.thread.lock().unwrap() = None;
                if !cfg!(loom) {
                    IDLE.lock().unwrap().push(plain);
                }
            }
        }
    }

    pub(super) fn keep_until_exit(plain: Plain) {
        std::thread_local! {
            static EXIT: Exit = const { Exit(Cell::new(None)) };
        }
        // A thread that is ending already keeps it for ever.
        if !cfg!(loom) {
            let _ = EXIT.try_with(|exit| exit.0.set(Some(plain)));
        }
    }

    impl Context {
        /// The thread ends: so do the processes that it spawned and has not joined.
        fn leave_thread(&self) {
            let children = self.children.take();
            if let Some(children) = children {
                children.wait();
            }
            if let Some(clear) = self.at_exit.take() {
                clear();
            }
            self.berth.stopped.set(false);
            self.stopping.replace(None::<Poison>);
        }
    }
}
