//! Processes that are futures: what an operation in a future has to know of whoever polls it.
//!
//! An `async fn` process is a [`Head`] with its future behind it. A [`Crowd`] polls those of one thread, in the order in which
//! they were woken; what runs it is itself a process that can park: a coroutine, or a thread.
//!
//! What holds:
//! - All of a head but `refs` and `notified` is touched by its crowd's thread only; from elsewhere it is woken through
//!   the crowd's inbox.
//! - A head stands in the ready queue at most once, and in the inbox at most once.
//! - A head is freed when nothing refers to it: neither its process (until that is over and no operation of it stands),
//!   nor a waker, nor a letter.
//! - An operation wakes its head without a reference of its own: it holds the head by standing (see [`Head::awaits`]).
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Instant;

use crate::blocked::{Blocked, Operation, Want};
use crate::park::{Context, Identity, Kept, Named, Park, Polled};
use crate::process::Failure;
use crate::sync::{
    Arc, AtomicBool, AtomicU32, Cell, Mutex, MutexGuard, Ordering, UnsafeCell, fence, per_thread,
};
use crate::waiter::mark_woken;

/// What heads have in common that lie together, and what they need of those above.
pub(crate) struct Home {
    pub(crate) crowd: &'static Crowd,
    pub(crate) identity: fn(&Head) -> Identity,
    pub(crate) named: for<'a> fn(&'a Head) -> (&'a dyn Named, usize),
    /// Nothing refers to the head any more. Any thread may call this, once.
    pub(crate) free: unsafe fn(NonNull<Head>),
}

/// A process whose function is a future; that lies behind it.
#[repr(align(8))]
pub(crate) struct Head {
    home: NonNull<Home>,
    /// The process itself, while it is not over; wakers; its letter.
    refs: AtomicU32,
    /// Its letter is in the inbox.
    notified: AtomicBool,
    ready: Cell<bool>,
    over: Cell<bool>,
    stands: Cell<Stands>,
}

/// The operations of a process that stand. As small as can be: there may be millions.
enum Stands {
    One(NonNull<dyn Blocked>),
    /// None, or all of them in what few processes have.
    Rare(Option<Box<Rare>>),
}

impl Default for Stands {
    fn default() -> Self {
        Self::Rare(None)
    }
}

/// What few processes have.
#[derive(Default)]
pub(crate) struct Rare {
    stand: Vec<NonNull<dyn Blocked>>,
    pub(crate) kept: Kept,
    /// Its function has returned, and it waits for its children.
    pub(crate) ending: Option<Ending>,
}

/// Until its children have ended: what it has come to, and the failure of one of them.
pub(crate) type Ending = Pin<Box<dyn Future<Output = (Box<dyn Any>, Option<Failure>)>>>;

// SAFETY: see the invariants above.
unsafe impl Sync for Head {}

per_thread! {
    /// One of this thread's: who sees to deadlines that are awaited by strangers.
    static CROWD: std::cell::Cell<Option<&'static Crowd>> = std::cell::Cell::new(None);
}
per_thread! {
    static THREAD: u8 = 0;
}

/// Tells this thread from all others that are alive.
#[inline]
fn this_thread() -> usize {
    THREAD.with(|thread: &u8| ptr::from_ref(thread).addr())
}

impl Head {
    /// # Safety
    /// The home is there as long as the head.
    pub(crate) unsafe fn new(home: NonNull<Home>) -> Self {
        Self {
            home,
            refs: AtomicU32::new(1),
            notified: AtomicBool::new(false),
            ready: Cell::new(false),
            over: Cell::new(false),
            stands: Cell::new(Stands::default()),
        }
    }

    pub(crate) fn home(&self) -> &Home {
        // SAFETY: the promise given to `new`.
        unsafe { self.home.as_ref() }
    }

    fn is_of_this_thread(&self) -> bool {
        self.home().crowd.thread.load(Ordering::Relaxed) == this_thread()
    }

    /// Whose waker it is, if that is a process of this thread.
    fn of(waker: &Waker) -> Option<&Self> {
        let is_ours = ptr::eq(waker.vtable(), &raw const WAKING);
        // SAFETY: the waker refers to a head, or borrows it.
        let head: &Self = is_ours.then(|| unsafe { &*waker.data().cast() })?;
        (head.is_of_this_thread() && !head.is_over()).then_some(head)
    }

    /// While it stands in no queue of those that are ready, and is not polled: what it waits for.
    #[allow(dead_code, reason = "for coroutines")]
    pub(crate) fn why(&self) -> Option<&dyn Blocked> {
        (!self.ready.get()).then_some(self)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// The waker that its future is polled with, lent.
    pub(crate) fn waker(&self) -> std::mem::ManuallyDrop<Waker> {
        // SAFETY: the table is for heads; the waker that is lent is not dropped, so it needs no reference.
        std::mem::ManuallyDrop::new(unsafe {
            Waker::from_raw(RawWaker::new(ptr::from_ref(self).cast(), &WAKING))
        })
    }

    /// Puts it into the ready queue.
    #[inline]
    fn wake(&self) {
        if self.is_of_this_thread() {
            self.wake_here();
        } else if !self.notified.swap(true, Ordering::AcqRel) {
            self.refs.fetch_add(1, Ordering::Relaxed);
            self.home().crowd.post(NonNull::from(self));
        }
    }

    #[inline]
    fn wake_here(&self) {
        if !self.ready.get() && !self.over.get() {
            self.ready.set(true);
            let crowd = self.home().crowd;
            crowd.ready.borrow_mut().push_back(NonNull::from(self));
            crowd.rouse();
        }
    }

    /// One reference less. The head may be gone afterwards.
    unsafe fn release(this: NonNull<Self>) {
        // SAFETY: the caller's reference keeps it until here.
        let head = unsafe { this.as_ref() };
        if head.refs.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            let free = head.home().free;
            // SAFETY: that was the last.
            unsafe { free(this) };
        }
    }

    /// Runs `f` with what only few processes have.
    pub(crate) fn with_rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = match self.stands.take() {
            Stands::One(why) => Box::new(Rare { stand: vec![why], ..Rare::default() }),
            Stands::Rare(rare) => rare.unwrap_or_default(),
        };
        let result = f(&mut rare);
        self.put_rare(rare);
        result
    }

    /// To be put back before anything else is asked.
    #[inline]
    pub(crate) fn take_rare(&self) -> Option<Box<Rare>> {
        match self.stands.take() {
            Stands::Rare(rare) => rare,
            one => {
                self.stands.set(one);
                None
            }
        }
    }

    pub(crate) fn put_rare(&self, rare: Box<Rare>) {
        self.stands.set(Stands::Rare(Some(rare)));
    }

    /// The process is over. Its head is there until nothing refers to it.
    ///
    /// # Safety
    /// Called once, by its crowd; the head is not used by it afterwards.
    pub(crate) unsafe fn end(this: NonNull<Self>) {
        // SAFETY: it is still there.
        let head = unsafe { this.as_ref() };
        head.over.set(true);
        // SAFETY: as the caller says.
        unsafe { Self::release_if_over(this) };
    }

    /// Gives the reference of the process up when that is over and nothing of it is left: no operation that stands, no place
    /// in the ready queue. Each of these calls this when it goes.
    unsafe fn release_if_over(this: NonNull<Self>) {
        // SAFETY: it is still there.
        let head = unsafe { this.as_ref() };
        if head.over.get() && !head.ready.get() && !head.stands() {
            // SAFETY: the reference of the process.
            unsafe { Self::release(this) };
        }
    }

    fn stands(&self) -> bool {
        let stands = self.stands.take();
        let some = match &stands {
            Stands::One(_) => true,
            Stands::Rare(rare) => rare.as_ref().is_some_and(|rare| !rare.stand.is_empty()),
        };
        self.stands.set(stands);
        some
    }

    /// Whether what stands is all that can wake it.
    fn is_only_woken_by_what_stands(&self) -> bool {
        self.refs.load(Ordering::Acquire) == 1 && self.stands()
    }

    /// Tells of each operation that stands. Meanwhile none comes or goes.
    fn each_standing<'a>(&'a self, mut tell: impl FnMut(&'a dyn Blocked)) {
        let stands = self.stands.take();
        let all = match &stands {
            Stands::One(why) => std::slice::from_ref(why),
            Stands::Rare(rare) => rare.as_ref().map_or(&[][..], |rare| &rare.stand),
        };
        for why in all {
            // SAFETY: what stands is there until it says that it does no longer.
            tell(unsafe { &*why.as_ptr() });
        }
        self.stands.set(stands);
    }
}

impl Park for Head {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("a future does not park")
    }

    fn unpark(&self) {
        self.wake();
    }

    fn wake_awaiting(&self, state: &AtomicU32) {
        if self.is_of_this_thread() {
            // Nothing else happens on this thread in between.
            mark_woken(state);
            self.wake_here();
            return;
        }
        // Once it is marked the operation may end, and with it the process.
        self.refs.fetch_add(1, Ordering::Relaxed);
        mark_woken(state);
        if self.notified.swap(true, Ordering::AcqRel) {
            // SAFETY: the reference from above.
            unsafe { Self::release(NonNull::from(self)) };
        } else {
            self.home().crowd.post(NonNull::from(self));
        }
    }

    fn awaits(&self, why: NonNull<dyn Blocked>) {
        match self.stands.take() {
            Stands::Rare(None) => self.stands.set(Stands::One(why)),
            some => {
                self.stands.set(some);
                self.with_rare(|rare| rare.stand.push(why));
            }
        }
    }

    fn forgets(&self, why: *const ()) {
        let is_it = |other: &NonNull<dyn Blocked>| ptr::eq(other.as_ptr().cast::<()>(), why);
        match self.stands.take() {
            Stands::One(one) if is_it(&one) => {}
            some => {
                self.stands.set(some);
                self.with_rare(|rare| rare.stand.retain(|other| !is_it(other)));
            }
        }
        // SAFETY: what stood has kept it until here.
        unsafe { Self::release_if_over(NonNull::from(self)) };
    }

    fn is_for(&self, waker: &Waker) -> bool {
        ptr::eq(waker.data(), ptr::from_ref(self).cast())
            && ptr::eq(waker.vtable(), &raw const WAKING)
    }
}

impl Polled for Head {
    fn identity(&self) -> Identity {
        (self.home().identity)(self)
    }

    fn named(&self) -> (&dyn Named, usize) {
        (self.home().named)(self)
    }
}

/// While its crowd does not run it.
impl Blocked for Head {
    fn place(&self) -> &'static Location<'static> {
        let mut first = None;
        self.each_standing(|why| _ = first.get_or_insert(why));
        first.map_or(Location::caller(), Blocked::place)
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        self.each_standing(|why| why.wants(tell));
        if !self.is_only_woken_by_what_stands() {
            tell(Want { operation: Operation::Await, object: None });
        }
    }

    fn chooses(&self) -> bool {
        let (mut all, mut one_chooses) = (0, false);
        self.each_standing(|why| {
            all += 1;
            one_chooses |= why.chooses();
        });
        all > 1 || one_chooses
    }
}

static WAKING: RawWakerVTable = {
    unsafe fn head<'a>(data: *const ()) -> &'a Head {
        // SAFETY: wakers of this table hold a reference to a head, or borrow it from who holds one.
        unsafe { &*data.cast() }
    }
    unsafe fn clone(data: *const ()) -> RawWaker {
        // SAFETY: as `head`.
        unsafe { head(data) }.refs.fetch_add(1, Ordering::Relaxed);
        RawWaker::new(data, &WAKING)
    }
    unsafe fn wake(data: *const ()) {
        // SAFETY: as `head`.
        unsafe { head(data) }.wake();
        // SAFETY: the waker's reference.
        unsafe { drop(data) };
    }
    unsafe fn wake_by_ref(data: *const ()) {
        // SAFETY: as `head`.
        unsafe { head(data) }.wake();
    }
    unsafe fn drop(data: *const ()) {
        // SAFETY: the waker's reference.
        unsafe { Head::release(NonNull::from(head(data))) };
    }
    RawWakerVTable::new(clone, wake, wake_by_ref, drop)
};

/// How an operation is woken that is polled by whoever has the waker: another executor, or part of a process that polls
/// its parts by itself.
#[repr(align(8))]
struct Stranger(Mutex<Option<Waker>>);

impl Stranger {
    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Park for Stranger {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("a future does not park")
    }

    fn unpark(&self) {
        let waker = self.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_awaiting(&self, state: &AtomicU32) {
        // SAFETY: all are made by `awaiter`, in an `Arc`, of which the operation still has its share.
        let this = unsafe {
            Arc::increment_strong_count(self);
            Arc::from_raw(self)
        };
        mark_woken(state);
        this.unpark();
    }

    fn forgets(&self, _: *const ()) {
        // SAFETY: the operation's share, which `awaiter` gave it.
        drop(unsafe { Arc::from_raw(self) });
    }

    fn is_for(&self, waker: &Waker) -> bool {
        if self.lock().as_ref().is_some_and(|mine| mine.will_wake(waker)) {
            return true;
        }
        let new = waker.clone();
        let before = self.lock().replace(new);
        drop(before);
        true
    }
}

/// Whom an operation wakes that is polled with a waker. It tells the end of its wait by `forgets`. One word: the lowest
/// bits are free, but for what `of` makes of it.
#[derive(Clone, Copy)]
pub(crate) struct Awaiter(*const ());

impl Awaiter {
    /// A stranger, and no head.
    const STRANGER: usize = 4;

    /// # Safety
    /// What is returned is not used after `forgets`.
    pub(crate) unsafe fn of_waker(waker: &Waker) -> Self {
        const { assert!(align_of::<Head>() > Self::STRANGER) };
        const { assert!(align_of::<Stranger>() > Self::STRANGER) };
        if let Some(head) = Head::of(waker) {
            // That it lasts until `forgets` is what `awaits` and `forgets` see to.
            return Self(ptr::from_ref(head).cast());
        }
        // Given back in `forgets`.
        let stranger = Arc::into_raw(Arc::new(Stranger(Mutex::new(Some(waker.clone())))));
        Self(stranger.cast::<()>().map_addr(|at| at | Self::STRANGER))
    }

    /// One word, of which the lowest two bits are 0.
    pub(crate) fn thin(self) -> *const () {
        self.0
    }

    /// # Safety
    /// It was given by `thin`, of one that may still be used.
    pub(crate) unsafe fn of(thin: *const ()) -> Self {
        Self(thin)
    }

    pub(crate) fn park(self) -> &'static dyn Park {
        if self.0.addr() & Self::STRANGER == 0 {
            // SAFETY: it is a head, which is there until `forgets`.
            return unsafe { &*self.0.cast::<Head>() };
        }
        // SAFETY: as above, a stranger.
        unsafe { &*self.0.map_addr(|at| at & !Self::STRANGER).cast::<Stranger>() }
    }
}

/// The processes that are futures of one thread, and how they are woken. Never freed, only used again.
pub(crate) struct Crowd {
    ready: RefCell<VecDeque<NonNull<Head>>>,
    inbox: Mutex<Vec<Letter>>,
    news: AtomicBool,
    asleep: AtomicBool,
    /// Who polls them; written while nobody is asleep, read by who has found it asleep.
    host: UnsafeCell<Option<&'static dyn Park>>,
    timers: RefCell<BTreeMap<(Instant, u64), Timer>>,
    armed: std::cell::Cell<u64>,
    /// Whose it is; 0: nobody's.
    thread: AtomicUsize,
}

/// A head, and a reference to it.
struct Letter(NonNull<Head>);

// SAFETY: of a head other threads may hold references.
unsafe impl Send for Letter {}
// SAFETY: from other threads only inbox, `asleep` and `host` are used, the last as it says there.
unsafe impl Sync for Crowd {}
// SAFETY: as above; one whose thread has ended is handed on through a mutex, empty.
unsafe impl Send for Crowd {}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self {
            ready: RefCell::new(VecDeque::new()),
            inbox: Mutex::new(Vec::new()),
            news: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            host: UnsafeCell::new(None),
            timers: RefCell::new(BTreeMap::new()),
            armed: std::cell::Cell::new(0),
            thread: AtomicUsize::new(0),
        }
    }

    /// From now on it is this thread's.
    pub(crate) fn join_thread(&'static self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
        CROWD.with(|crowd| crowd.set(Some(self)));
    }

    /// The thread ends.
    pub(crate) fn leave_thread(&'static self) {
        self.thread.store(0, Ordering::Relaxed);
        CROWD.with(|crowd| crowd.set(None));
    }

    /// The next that is ready.
    #[inline]
    pub(crate) fn next(&self) -> Option<NonNull<Head>> {
        loop {
            let head = self.ready.borrow_mut().pop_front()?;
            // SAFETY: its place in the queue has kept it.
            let there = unsafe { head.as_ref() };
            there.ready.set(false);
            if !there.over.get() {
                return Some(head);
            }
            // SAFETY: as above.
            unsafe { Head::release_if_over(head) };
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many letters nobody has taken in.
    #[cfg(loom)]
    pub(crate) fn mail(&self) -> usize {
        self.letters().len()
    }

    /// From another thread.
    fn post(&self, head: NonNull<Head>) {
        self.letters().push(Letter(head));
        self.news.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.rouse();
    }

    /// Somebody is ready, or has a letter: whoever polls them is to look.
    #[inline]
    pub(crate) fn rouse(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // SAFETY: it was written before `asleep` was set, and is not before the unpark was taken.
            let host = unsafe { *self.host.get() };
            host.expect("it was asleep").unpark();
        }
    }

    /// Takes in what has come from other threads, and the deadlines that have.
    #[inline]
    pub(crate) fn look_outside(&self) {
        self.take_letters();
        if !self.timers.borrow().is_empty() {
            self.wake_late(Instant::now());
        }
    }

    /// Takes in what has come from other threads.
    #[inline]
    pub(crate) fn take_letters(&self) {
        if self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::SeqCst) {
            let letters = std::mem::take(&mut *self.letters());

            for Letter(head) in letters {
                // SAFETY: the letter's reference.
                let there = unsafe { head.as_ref() };
                // What was done before is seen by the poll; who comes afterwards posts another letter.
                there.notified.swap(false, Ordering::AcqRel);
                there.wake_here();
                // SAFETY: as above.
                unsafe { Head::release(head) };
            }
        }
    }

    fn wake_late(&self, now: Instant) {
        loop {
            let mut timers = self.timers.borrow_mut();
            let Some(first) = timers.first_entry().filter(|first| first.key().0 <= now) else {
                return;
            };
            let timer = first.remove();
            drop(timers);
            match timer {
                // SAFETY: what stands there holds it.
                Timer::Head(head) => unsafe { head.as_ref() }.wake_here(),
                Timer::Stranger(waker) => waker.wake(),
            }
        }
    }

    /// Nobody is ready: waits until somebody may be. For the process that polls them.
    pub(crate) fn sleep(&self, context: &'static Context, why: &dyn Blocked) {
        // SAFETY: nobody is asleep, so nobody reads it.
        unsafe { *self.host.get() = Some(context.park()) };
        // Exchanged, not stored: so are all changes of it in one order, whoever makes them.
        self.asleep.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let deadline = self.timers.borrow().first_key_value().map(|((deadline, _), _)| *deadline);
        if self.news.load(Ordering::SeqCst) {
            if !self.asleep.swap(false, Ordering::SeqCst) {
                // The unpark is on its way.
                context.wait(why, None);
            }
        } else if !context.wait(why, deadline) && !self.asleep.swap(false, Ordering::SeqCst) {
            context.wait(why, None);
        }
    }
}

/// What a future does not do yet.
#[cold]
#[track_caller]
pub(crate) fn refuse_beyond() -> ! {
    panic!(
        "a channel that another OS process has ends of can't be awaited: let a process that waits read or write it, \
         and talk to that"
    )
}

/// Whom a deadline wakes.
enum Timer {
    /// An operation of it stands, and holds it.
    Head(NonNull<Head>),
    Stranger(Waker),
}

/// Wakes whoever awaits at a deadline, once it is set and until it is dropped; before the operation that it is for says
/// that it no longer stands.
pub(crate) struct Alarm {
    crowd: &'static Crowd,
    key: (Instant, u64),
}

impl Alarm {
    /// In a process of this thread.
    ///
    /// # Panics
    /// If none runs here: nobody would see to it.
    #[track_caller]
    pub(crate) fn new(deadline: Instant, waker: &Waker) -> Self {
        let crowd = Head::of(waker).map(|head| head.home().crowd).or_else(|| CROWD.with(std::cell::Cell::get)).expect(
            "a deadline is awaited in an `async` process: another executor has timers of its own",
        );
        let number = crowd.armed.get() + 1;
        crowd.armed.set(number);
        Self { crowd, key: (deadline, number) }
    }

    pub(crate) fn set(self, waker: &Waker) -> Self {
        let timer = match Head::of(waker) {
            Some(head) => Timer::Head(NonNull::from(head)),
            None => Timer::Stranger(waker.clone()),
        };
        self.crowd.timers.borrow_mut().insert(self.key, timer);
        self
    }

    /// The operation is polled with this waker now.
    pub(crate) fn follow(&self, waker: &Waker) {
        if Head::of(waker).is_some() {
            // It was so before, or the operation would stand anew.
            return;
        }
        let timer = Timer::Stranger(waker.clone());
        let mut timers = self.crowd.timers.borrow_mut();
        let before = timers.get_mut(&self.key).map(|before| std::mem::replace(before, timer));
        drop(timers);
        // Whoever is dropped with its waker may have alarms too.
        drop(before);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let timer = self.crowd.timers.borrow_mut().remove(&self.key);
        drop(timer);
    }
}

#[cfg(all(test, target_pointer_width = "64", not(loom)))]
mod tests {
    #[test]
    fn a_head_is_half_a_cache_line() {
        assert_eq!(size_of::<super::Head>(), 32);
    }
}
