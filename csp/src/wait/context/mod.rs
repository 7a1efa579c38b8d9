//! Floor 2. The process that runs on a thread: its identity, how it waits, and what stops it.

mod berth;
mod kept;
mod stopping;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use self::berth::{Berth, Berthed, RunQueue};
use super::blocked::Blocked;
use super::lineage::{Identity, Named, who_is};
use super::parking::{Children, Park, Polled};
use super::turns::Wheels;
use crate::report::id::Who;
use crate::report::termination::{Poison, Termination};
use crate::stack::slab::Suspender;
use crate::sync::{Ordering, Shown, per_thread};

pub(crate) use self::kept::Kept;
pub(crate) use self::stopping::{unwinding, unwinding_task};

/// The processes of one thread that could go on.
pub(crate) type Ready = RunQueue<Context>;

/// Dropped when a wait unwinds, which would leave pointers to a frame that is gone. No library code is meant to panic in a wait.
struct Unwinds;

impl Drop for Unwinds {
    #[cold]
    fn drop(&mut self) {
        eprintln!("csp: a panic in a wait, which nothing can go on from: please report it");
        std::process::abort();
    }
}

/// The failures at which the ends of a process retire. At the others they are poisoned. It is one byte, because it changes with the
/// process that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retiring(u8);

impl Retiring {
    const ON_PANIC: u8 = 1;
    const ON_ERROR: u8 = 2;

    /// Says whether `on_panic = retire` and `on_error = retire`.
    pub(crate) const fn new(on_panic: bool, on_error: bool) -> Self {
        let on_panic = if on_panic { Self::ON_PANIC } else { 0 };
        let on_error = if on_error { Self::ON_ERROR } else { 0 };
        Self(on_panic | on_error)
    }

    pub(crate) const fn on_panic(self) -> bool {
        self.0 & Self::ON_PANIC != 0
    }

    pub(crate) const fn on_error(self) -> bool {
        self.0 & Self::ON_ERROR != 0
    }
}

/// The error that a process has returned, since it met a poison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReturnedError {
    Nothing,
    /// The poison in `stopping` is what it returns, and it need not have met it.
    Poison,
    /// A deadlock has stopped it, so it has no proper result.
    InDeadlock,
}

/// The state that a running process carries with it. Never freed, only used again. Only its own
/// thread touches it, except where it says otherwise.
#[repr(C)]
pub(crate) struct Context {
    pub(crate) berth: Berth<Self>,
    park: Cell<&'static dyn Park>,
    /// `None` if no process runs here. Other threads may look.
    pub(super) identity: Shown<Option<Lent>>,
    /// The poison that reached it last, while it has not communicated since.
    pub(super) stopping: RefCell<Option<Poison>>,
    /// Whether the poison in `stopping` decides about its end. Nothing if no poison stops it.
    returned: Cell<ReturnedError>,
    retiring: Cell<Retiring>,
    /// Its thread ends, and its operation was taken back.
    dismissed: Cell<bool>,
    /// Nobody is to see it any more: it has done all that it does, and may have been joined. Other threads may look.
    pub(super) hidden: AtomicBool,
    /// Where each alternation of this process looks first, the next time.
    pub(crate) wheels: Wheels,
    /// The children, which the floors above keep with a process.
    pub(crate) children: RefCell<Option<Arc<dyn Children>>>,
    /// A function of the backend that cleans up when the thread ends.
    pub(crate) at_exit: Cell<Option<fn()>>,
    /// The process that is polled here.
    polled: Cell<Option<&'static dyn Polled>>,
}

per_thread! {
    static CURRENT: Cell<Option<&'static Context>> = Cell::new(None);
}

/// Returns the process that runs on this thread, if there is one.
#[inline(always)]
pub(super) fn here() -> Option<&'static Context> {
    CURRENT.with(Cell::get)
}

/// Makes this thread, which may be ending, one that runs no process.
pub(super) fn leave() {
    let _ = CURRENT.try_with(|current| current.set(None));
}

/// Returns the process that runs on this thread, if it is one already. This is for the panic hook. A model's threads
/// can't be asked so.
pub(crate) fn running() -> Option<&'static Context> {
    if cfg!(loom) { None } else { CURRENT.with(Cell::get) }
}

/// Writes the path of the process that runs on this thread, if one does. This is for a signal handler (see
/// [`Named`]).
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

/// Makes `context` the one that runs. This is for schedulers.
#[inline(always)]
pub(crate) fn switch_to(context: &'static Context) {
    CURRENT.with(|current| current.set(Some(context)));
}

impl Berthed for Context {
    #[inline(always)]
    fn berth(&self) -> &Berth<Self> {
        &self.berth
    }
}

impl Context {
    pub(crate) fn new(park: &'static dyn Park) -> Self {
        Self {
            berth: Berth::new(),
            park: Cell::new(park),
            identity: Shown::new(None),
            stopping: RefCell::new(None),
            returned: Cell::new(ReturnedError::Nothing),
            retiring: Cell::new(Retiring::default()),
            dismissed: Cell::new(false),
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

    /// Does [`Park::unpark`] for a parked coroutine of the calling thread that waits for no deadline. For others it does
    /// nothing and returns false.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub(crate) fn unpark_here(&'static self) -> bool {
        let berth = &self.berth;
        let ready = berth.ready.load(Ordering::Relaxed);
        let here = CURRENT.with(Cell::get);
        let is_here = here.is_some_and(|here| here.berth.ready.load(Ordering::Relaxed) == ready);
        // SAFETY: it was made of a reference that is good for ever.
        let Some(ready) = (unsafe { ready.as_ref() }) else { return false };
        // The berth of a coroutine of another thread is not even looked at.
        let woken = is_here && berth.parked.get() && !berth.armed.get();
        if woken {
            berth.parked.set(false);
            ready.push(self);
        }
        woken
    }

    /// Does [`Park::park`] for the process that runs.
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
            _ => self.wait_otherwise(why, deadline),
        }
    }

    /// Does [`Park::park`]. The frame that waits has been left in queues and seats, so nothing unwinds through it.
    #[inline(always)]
    pub(crate) fn wait_otherwise(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        let unwinds = Unwinds;
        let woken = self.park.get().park(why, deadline);
        std::mem::forget(unwinds);
        woken
    }

    /// Returns the result of an operation that was taken back: nobody will be its partner any more.
    #[cold]
    pub(crate) fn dismissed(&self) -> Option<Termination> {
        self.dismissed.take().then_some(Termination::Retired)
    }

    /// Does [`Park::pass`] for the process that runs. A process that unwinds keeps its thread.
    pub(crate) fn pass(&self) {
        if !std::thread::panicking() {
            self.park.get().pass();
        }
    }

    /// Makes the process wait in another way from now on: its thread has become a scheduler.
    pub(crate) fn park_with(&self, park: &'static dyn Park) {
        self.park.replace(park).replaced();
    }

    /// Begins a process: nothing of the one before is left. It is one of `of`, which is lent for as long as it runs: nothing
    /// is counted.
    ///
    /// # Safety
    /// `of` points to the value of an `Arc`. The result is given to [`end`](Self::end) before the last of these is dropped.
    #[allow(unsafe_code)]
    #[inline]
    pub(crate) unsafe fn begin(
        &self,
        of: *const dyn Named,
        index: usize,
        retiring: Retiring,
    ) -> Before {
        // SAFETY: the caller's promise. It is never dropped.
        let of = unsafe { Arc::from_raw(of) };
        self.begin_as(Lent::new(Identity { of, index }), retiring)
    }

    /// Does the same as `begin` for a process that leaves its identity to nobody.
    #[inline]
    pub(crate) fn begin_as(&self, identity: Lent, retiring: Retiring) -> Before {
        self.communicated();
        self.wheels.clear();
        #[cfg(debug_assertions)]
        self.berth.last.store(std::ptr::null_mut(), Ordering::Relaxed);
        // Only this thread changes it.
        let hidden = self.hidden.load(Ordering::Relaxed);
        let before = Before {
            identity: self.identity.replace(Some(identity)),
            retiring: self.retiring.replace(retiring),
            hidden,
        };
        self.hidden.store(false, Ordering::Release);
        before
    }

    /// Hides the process that runs, because it is about to tell of its end. From then on people do
    /// not see it.
    #[inline]
    pub(crate) fn hide(&self) {
        self.hidden.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden.load(Ordering::Acquire)
    }

    /// Ends a process. Its thread is again what it was before.
    #[inline]
    pub(crate) fn end(&self, before: Before) {
        self.communicated();
        self.retiring.set(before.retiring);
        self.identity.replace(before.identity);
        // After the identity has changed.
        self.hidden.store(before.hidden, Ordering::Release);
    }

    pub(crate) fn identity(&self) -> Identity {
        if let Some(polled) = self.polled.get() {
            return polled.identity();
        }
        let identity = self.identity.mine(|identity| identity.as_deref().cloned());
        identity.expect("a process that runs has begun")
    }

    /// Shows the process that runs here, if one does. Any thread may look. It is not handed out, because its
    /// last owner drops data of the user's.
    pub(crate) fn shown<R>(&self, look: impl FnOnce(&Identity) -> R) -> Option<R> {
        let look = |identity: &Option<Lent>| identity.as_deref().map(look);
        match self.is_of_this_thread() {
            true => self.identity.mine(look),
            false => self.identity.look(look),
        }
    }

    /// Returns the path of the process that runs here, if one does. Only its own thread asks.
    #[cfg(debug_assertions)]
    pub(crate) fn path_if_any(&self) -> Option<String> {
        match self.polled.get() {
            Some(_) => Some(self.path()),
            None => self.shown(|identity| identity.of.path(identity.index)),
        }
    }

    /// Returns whether it belongs to the current thread. The thread of a scheduler has many.
    fn is_of_this_thread(&self) -> bool {
        let ready = self.berth.ready.load(Ordering::Relaxed);
        CURRENT.with(Cell::get).is_some_and(|here| {
            std::ptr::eq(here, self)
                || !ready.is_null() && here.berth.ready.load(Ordering::Relaxed) == ready
        })
    }

    /// Returns the identity of the process that runs, told apart from all others.
    pub(crate) fn who(&self) -> Who {
        if let Some(polled) = self.polled.get() {
            let (of, index) = polled.named();
            return who_is(of, index);
        }
        self.shown(Identity::who).expect("a process that runs has begun")
    }

    pub(crate) fn name(&self) -> String {
        let identity = self.identity();
        identity.of.name(identity.index)
    }

    pub(crate) fn path(&self) -> String {
        let identity = self.identity();
        identity.of.path(identity.index)
    }

    /// Returns whether nobody has started it as a process.
    pub(crate) fn is_plain_thread(&self) -> bool {
        self.identity().of.is_thread()
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn suspend(suspender: Suspender) {
    // SAFETY: it is of the process that runs, and so of the stack that this is called on.
    unsafe { suspender.suspend() };
}

/// A scheduler, none, or more than one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchedulerId(*const Ready);

// SAFETY: it is compared, and asked what any thread may ask.
#[allow(unsafe_code)]
unsafe impl Send for SchedulerId {}

#[allow(dead_code, reason = "for schedulers on several cores")]
impl SchedulerId {
    pub(crate) const NONE: Self = Self(std::ptr::null());
    /// More than one. No process has this.
    pub(crate) const SEVERAL: Self = Self(std::ptr::without_provenance(1));

    /// Returns whether it has nothing to do. From then on it counts as having something.
    #[allow(unsafe_code)]
    pub(crate) fn take_spare(self) -> bool {
        #[cfg(all(test, loom))]
        return crate::models::take_spare(self.0);
        // SAFETY: no line has `SEVERAL`. So it is null, or was made of a reference that is good for ever.
        #[cfg(not(all(test, loom)))]
        unsafe { self.0.as_ref() }.is_some_and(Ready::take_spare)
    }

    /// Returns whether it is of a worker, which has taken processes of others, or was dealt them.
    #[allow(unsafe_code)]
    pub(crate) fn is_worker(self) -> bool {
        // In models no scheduler is there.
        #[cfg(all(test, loom))]
        return false;
        // SAFETY: as above. The caller has the scheduler of a process.
        #[cfg(not(all(test, loom)))]
        unsafe { self.0.as_ref() }.is_some_and(Ready::is_worker)
    }
}

/// An identity that its owner drops.
pub(crate) type Lent = ManuallyDrop<Identity>;

/// The state that [`Context::begin`] replaced.
pub(crate) struct Before {
    identity: Option<Lent>,
    retiring: Retiring,
    hidden: bool,
}

/// The part for schedulers.
impl Context {
    /// Sets the queue that it is put into from now on when its own thread wakes it, or none. Only that thread calls
    /// this.
    pub(crate) fn queue_at(&self, ready: Option<&'static Ready>) {
        let ready =
            ready.map_or(std::ptr::null_mut(), |ready| std::ptr::from_ref(ready).cast_mut());
        self.berth.ready.store(ready, Ordering::Relaxed);
    }

    /// Returns the scheduler of the process.
    #[inline(always)]
    #[allow(dead_code, reason = "for schedulers on several cores")]
    pub(crate) fn scheduler(&self) -> SchedulerId {
        #[cfg(all(test, loom))]
        return SchedulerId(crate::models::scheduler_of(std::ptr::from_ref(self).addr()));
        #[cfg(not(all(test, loom)))]
        SchedulerId(self.berth.ready.load(Ordering::Relaxed))
    }

    /// Ends the operation of a process whose thread ends and has taken the operation back.
    pub(crate) fn dismiss(&self) {
        self.dismissed.set(true);
    }

    /// Hides this process: it polls others, which are shown by the code that polls them.
    pub(crate) fn be_nobody(&self) {
        self.identity.replace(None);
    }
}
