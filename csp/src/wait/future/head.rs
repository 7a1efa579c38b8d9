//! A process that is a future: its header, its wakers and the operations of it that stand.
#![allow(unsafe_code)]

use std::panic::Location;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Instant;

use super::crowd::{Crowd, this_thread};
use super::look::Look;
use crate::sync::{AtomicBool, AtomicU32, Cell, Ordering};
use crate::wait::blocked::{Blocked, Operation, Want};
use crate::wait::lineage::{Identity, Named};
use crate::wait::park::{Kept, Park, Polled, mark_woken};

/// The data that heads lying together have in common, and the functions they need of the floors
/// above.
pub(crate) struct Home {
    pub(crate) crowd: &'static Crowd,
    pub(crate) identity: fn(&Head) -> Identity,
    pub(crate) named: for<'a> fn(&'a Head) -> (&'a dyn Named, usize),
    /// Frees a head that nothing refers to any more. Any thread may call this, once.
    pub(crate) free: unsafe fn(NonNull<Head>),
}

/// A process whose function is a future. The future lies behind it.
#[repr(align(8))]
pub(crate) struct Head {
    home: NonNull<Home>,
    /// The references: the process itself, while it is not over, its wakers, and its letter.
    pub(super) refs: AtomicU32,
    /// Its letter is in the inbox.
    pub(super) notified: AtomicBool,
    pub(super) ready: Cell<bool>,
    pub(super) over: Cell<bool>,
    stands: Cell<Stands>,
}

/// The operations of a process that stand. As small as can be: there may be millions.
enum Stands {
    One(NonNull<dyn Blocked>),
    /// None, or all of them in the part that few processes have.
    Rare(Option<Box<Rare>>),
}

impl Default for Stands {
    fn default() -> Self {
        Self::Rare(None)
    }
}

/// The state that few processes have.
#[derive(Default)]
pub(crate) struct Rare {
    stand: Vec<NonNull<dyn Blocked>>,
    pub(crate) kept: Kept,
    /// Its function has returned, and it waits for its children.
    pub(crate) ending: Option<Ending>,
}

/// Waits until its children have ended, and then says with what result.
pub(crate) type Ending = Pin<Box<dyn Future<Output = ()>>>;

// SAFETY: see the invariants of this folder.
unsafe impl Sync for Head {}

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

    /// Returns the head that the waker belongs to, if that is a process of this thread.
    pub(super) fn of(waker: &Waker) -> Option<&Self> {
        let is_ours = ptr::eq(waker.vtable(), &raw const WAKING);
        // SAFETY: the waker refers to a head, or borrows it.
        let head: &Self = is_ours.then(|| unsafe { &*waker.data().cast() })?;
        (head.is_of_this_thread() && !head.is_over()).then_some(head)
    }

    /// Returns its wait, while it is in no ready queue and is not polled.
    pub(crate) fn why(&self) -> Option<&dyn Blocked> {
        (!self.ready.get()).then_some(self)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Returns the waker that its future is polled with, lent.
    pub(crate) fn waker(&self) -> std::mem::ManuallyDrop<Waker> {
        // SAFETY: the table is for heads. The waker that is lent is not dropped, so it needs no reference.
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
            let crowd = self.home().crowd;
            let letters = crowd.letters();
            // If its thread has ended, nobody will ever poll it.
            if !crowd.is_of_nobody() {
                self.refs.fetch_add(1, Ordering::Relaxed);
                crowd.post(letters, NonNull::from(self));
            }
        }
    }

    #[inline]
    pub(super) fn wake_here(&self) {
        if !self.ready.get() && !self.over.get() {
            self.ready.set(true);
            let crowd = self.home().crowd;
            crowd.ready.borrow_mut().push_back(NonNull::from(self));
            crowd.rouse();
        }
    }

    /// Gives up one reference. The head may be gone afterwards.
    pub(super) unsafe fn release(this: NonNull<Self>) {
        // SAFETY: the caller's reference keeps it until here.
        let head = unsafe { this.as_ref() };
        // No fence before it is freed: ThreadSanitizer knows none.
        if head.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
            let free = head.home().free;
            // SAFETY: that was the last.
            unsafe { free(this) };
        }
    }

    /// Runs `f` with the state that only few processes have.
    pub(crate) fn with_rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = match self.stands.take() {
            Stands::One(why) => Box::new(Rare { stand: vec![why], ..Rare::default() }),
            Stands::Rare(rare) => rare.unwrap_or_default(),
        };
        let result = f(&mut rare);
        self.put_rare(rare);
        result
    }

    /// Takes that state out. It must be put back before anything else is asked.
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

    /// Ends the process. Its head is there until nothing refers to it.
    ///
    /// # Safety
    /// Called once, by its crowd, which does not use the head afterwards.
    pub(crate) unsafe fn end(this: NonNull<Self>) {
        // SAFETY: it is still there.
        let head = unsafe { this.as_ref() };
        head.over.set(true);
        // SAFETY: as the caller says.
        unsafe { Self::release_if_over(this) };
    }

    /// Gives up the reference of the process if that is over, no operation of it stands, and it has no place in
    /// the ready queue. The operations and the queue call this when they go.
    pub(super) unsafe fn release_if_over(this: NonNull<Self>) {
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

    /// Returns whether only the operations that stand can wake it.
    fn is_only_woken_by_what_stands(&self) -> bool {
        self.refs.load(Ordering::Acquire) == 1 && self.stands()
    }

    /// Tells of each operation that stands. Meanwhile none comes or goes, and no object of one is freed.
    fn each_standing<'a>(&'a self, mut tell: impl FnMut(&'a dyn Blocked)) {
        let stands = self.stands.take();
        let all = match &stands {
            Stands::One(why) => std::slice::from_ref(why),
            Stands::Rare(rare) => rare.as_ref().map_or(&[][..], |rare| &rare.stand),
        };
        for why in all {
            // SAFETY: an operation that stands is there until it says that it stands no longer.
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
        let crowd = self.home().crowd;
        let letters = crowd.letters();
        if crowd.is_of_nobody() {
            mark_woken(state);
            return;
        }
        // Once it is marked the operation may end, and with it the process.
        self.refs.fetch_add(1, Ordering::Relaxed);
        mark_woken(state);
        if self.notified.swap(true, Ordering::AcqRel) {
            drop(letters);
            // A caller that holds a lock does not free the process here. The woken operation takes that lock again before its
            // process goes on, so another reference is left.
            // SAFETY: the reference from above.
            unsafe { Self::release(NonNull::from(self)) };
        } else {
            crowd.post(letters, NonNull::from(self));
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
        // SAFETY: the operation that stood has kept it until here.
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
        let look = Look::new();
        self.each_standing(|why| why.wants(tell));
        drop(look);
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
        // SAFETY: wakers of this table hold a reference to a head, or borrow it from a holder of
        // one.
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

#[cfg(all(test, target_pointer_width = "64", not(loom)))]
mod tests {
    #[test]
    fn a_head_is_half_a_cache_line() {
        assert_eq!(size_of::<super::Head>(), 32);
    }
}
