//! Waiters and offers that lie in futures, which may be dropped at any time.
//!
//! Between its commit and its wake-up a waiter belongs to who has committed it; a drop that comes then waits until it is
//! woken. So nothing that may last comes in between. What does, the end of an extended read and a value that is made only
//! after the commit, goes through something of its own on the heap, a [`Gate`] or a [`Promise`], which outlives either side.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use super::{COMMITTED, Count, Held, Offer, Outcome, Queue, Seat, WITHDRAWN, WOKEN, Waiter, Whom};
use crate::awaiting::Awaiter;
use crate::blocked::Blocked;
use crate::park::{self, Context};
use crate::sync::{self, AtomicU32, Lock, Ordering};

/// What a writer awaits whose value was taken by an extended read. It is apart from the writer, which may be dropped.
pub(crate) struct Gate(Lock<Gated>);

struct Gated {
    open: bool,
    waker: Option<Waker>,
    _counted: Counted,
}

/// In a model: how many gates and promises there are.
#[cfg(loom)]
pub(crate) mod shares {
    std::thread_local! {
        pub(crate) static COUNT: std::cell::Cell<isize> = const { std::cell::Cell::new(0) };
    }
}

struct Counted;

impl Counted {
    fn new() -> Self {
        #[cfg(loom)]
        shares::COUNT.set(shares::COUNT.get() + 1);
        Self
    }
}

#[cfg(loom)]
impl Drop for Counted {
    fn drop(&mut self) {
        shares::COUNT.set(shares::COUNT.get() - 1);
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Lock::new(Gated { open: false, waker: None, _counted: Counted::new() }))
    }

    pub(super) fn open(&self) {
        let mut gated = self.0.lock();
        gated.open = true;
        let waker = gated.waker.take();
        drop(gated);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it is open.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        let mut gated = self.0.lock();
        let before = if gated.open { None } else { gated.waker.replace(waker.clone()) };
        let open = gated.open;
        drop(gated);
        drop(before);
        open
    }
}

/// What a reader awaits whose writer has committed and makes its value. It is apart from both.
pub(crate) struct Promise<T> {
    state: Lock<Promised<T>>,
    extended: bool,
}

struct Promised<T> {
    made: Option<Made<T>>,
    waker: Option<Waker>,
    /// The reader has gone.
    abandoned: bool,
    _counted: Counted,
}

/// What has become of a promise.
pub(crate) enum Made<T> {
    /// The value, and the writer, which an extended read keeps waiting.
    Value(T, Option<Held>),
    /// There is none, and nothing was agreed.
    Nothing,
}

impl<T> Made<T> {
    /// It was made in vain: its writer goes on.
    fn unkept(self) -> Self {
        match self {
            Self::Value(value, held) => {
                held.into_iter().for_each(Held::forget);
                Self::Value(value, None)
            }
            Self::Nothing => Self::Nothing,
        }
    }
}

impl<T> Promise<T> {
    pub(super) fn new(extended: bool) -> Self {
        let state =
            Promised { made: None, waker: None, abandoned: false, _counted: Counted::new() };
        Self { state: Lock::new(state), extended }
    }

    pub(crate) fn is_extended(&self) -> bool {
        self.extended
    }

    /// Given back if the reader has gone.
    pub(crate) fn keep(&self, made: Made<T>) -> Result<(), Made<T>> {
        let mut state = self.state.lock();
        if state.abandoned {
            return Err(made);
        }
        state.made = Some(made);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// [`keep`](Self::keep) by a writer that waits until an extended read of the value has ended.
    pub(crate) fn keep_and_wait(
        &self,
        value: T,
        context: &'static Context,
        why: &dyn Blocked,
    ) -> Result<(), Made<T>> {
        if context.is_polled() {
            self.keep(Made::Value(value, None))?;
            park::refuse_to_wait("a write", "end.write_async(value).await");
        }
        let writer = Waiter::single(context);
        writer.leave(COMMITTED);
        self.keep(Made::Value(value, Some(Held::waits(NonNull::from(&writer)))))
            .map_err(Made::unkept)?;
        writer.wait(why, None);
        Ok(())
    }

    /// The same by one that awaits it.
    pub(crate) fn keep_and_await(&self, value: T) -> Result<Arc<Gate>, Made<T>> {
        let gate = Arc::new(Gate::new());
        self.keep(Made::Value(value, Some(Held::awaits(Arc::clone(&gate)))))
            .map_err(Made::unkept)?;
        Ok(gate)
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Option<Made<T>> {
        let mut state = self.state.lock();
        let before = if state.made.is_none() { state.waker.replace(waker.clone()) } else { None };
        let made = state.made.take();
        drop(state);
        drop(before);
        made
    }

    /// The reader goes. What was made for it.
    pub(crate) fn abandon(&self) -> Option<Made<T>> {
        let mut state = self.state.lock();
        state.abandoned = true;
        let (made, waker) = (state.made.take(), state.waker.take());
        drop(state);
        drop(waker);
        made
    }
}

/// Marks a waiter as woken: afterwards whoever wakes it doesn't touch it.
pub(crate) fn mark_woken(state: &AtomicU32) {
    // It is committed, so nobody else changes it.
    state.store(state.load(Ordering::Relaxed) | WOKEN, Ordering::Release);
}

/// A waiter in a future, with its offer.
///
/// What holds:
/// - It stands pinned, and is not dropped while it stands: its owner's `Drop` calls [`withdraw`](Self::withdraw) or, where
///   it does not stand in a queue alone, sees to it in another way.
/// - Who commits it wakes it some instructions later: nothing that may last comes in between (what does goes through
///   a [`Gate`] or a [`Promise`]). So a drop that finds it committed spins until it is woken.
pub(crate) struct Awaited<T>(UnsafeCell<Option<Stood<T>>>);

// SAFETY: it is sent nowhere: the future that it lies in says that it stays on its thread, and is told so in one word.
unsafe impl<T> Send for Awaited<T> {}

struct Stood<T> {
    waiter: Waiter,
    offer: Offer<T>,
}

impl<T> Awaited<T> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn stood(&self) -> Option<&Stood<T>> {
        // SAFETY: written by `make` and `take` only, while nobody refers to it.
        unsafe { &*self.0.get() }.as_ref()
    }

    fn make(&self, awaiter: Awaiter, value: Option<T>, extended: bool) -> &Stood<T> {
        // SAFETY: what stood before has been taken.
        let slot = unsafe { &mut *self.0.get() };
        let waiter = Waiter::of(Whom::awaiting(awaiter, true), 1);
        let offer = Offer::new(&waiter, 0, value, extended);
        let stood = slot.insert(Stood { waiter, offer });
        stood.offer.waiter = NonNull::from(&stood.waiter);
        stood
    }

    /// Stands in a queue, as whom `waker` wakes; `why` is what it waits for.
    ///
    /// # Safety
    /// `self` and `why` are pinned, and [`withdraw`](Self::withdraw) is called before they are dropped.
    pub(crate) unsafe fn stand<C: Count>(
        &self,
        waker: &Waker,
        queue: &mut Queue<T, C>,
        value: Option<T>,
        extended: bool,
        why: &dyn Blocked,
    ) {
        // SAFETY: not used after `forgets`, in `take`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        let stood = self.make(awaiter, value, extended);
        // SAFETY: it is pinned, and taken out before it is dropped.
        unsafe { queue.push(&stood.offer) };
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
    }

    /// What it has come to: None: nothing yet. `lock` gives the queue, locked; it is used if others are to be woken than before.
    pub(crate) fn poll<S>(
        &self,
        waker: &Waker,
        why: &dyn Blocked,
        lock: impl FnOnce() -> S,
    ) -> Option<Outcome> {
        let Stood { waiter, offer } = self.stood().expect("it stands");
        if !is_woken(waiter) {
            if waits_for(waiter, waker) {
                return None;
            }
            let locked = lock();
            if offer.queued.get() {
                becomes(waiter, waker, why);
                return None;
            }
            drop(locked);
            settle(waiter);
        }
        Some(waiter.outcome())
    }

    /// The offer, once it has come to something.
    pub(crate) fn offer(&self) -> &Offer<T> {
        &self.stood().expect("it stood").offer
    }

    /// It stands no longer: it is woken, or was withdrawn.
    pub(crate) fn clear(&self, why: &dyn Blocked) {
        if let Some(stood) = self.stood() {
            let park = stood.waiter.park();
            // SAFETY: nobody else refers to it any more.
            let stood = unsafe { &mut *self.0.get() }.take();
            park.forgets(thin(why));
            drop(stood);
        }
    }

    /// Takes the offer out of its queue, which is locked. False: it was committed, and is woken when this returns.
    pub(crate) fn withdraw<S, C: Count>(
        &self,
        mut locked: S,
        queue: impl FnOnce(&mut S) -> &mut Queue<T, C>,
    ) -> bool {
        let Stood { waiter, offer } = self.stood().expect("it stands");
        let stood = offer.queued.get();
        queue(&mut locked).remove(offer);
        drop(locked);
        if !stood {
            settle(waiter);
        }
        stood
    }
}

/// From now on it wakes whom `waker` wakes; under the lock, while it is not committed.
fn becomes(waiter: &Waiter, waker: &Waker, why: &dyn Blocked) {
    waiter.park().forgets(thin(why));
    // SAFETY: not used after the next `forgets`.
    let awaiter = unsafe { Awaiter::of_waker(waker) };
    waiter.whom.set(Whom::awaiting(awaiter, waiter.is_single()));
    // SAFETY: `forgets` comes before it is dropped.
    awaiter.park().awaits(unsafe { forever(why) });
}

fn is_woken(waiter: &Waiter) -> bool {
    waiter.state.load(Ordering::Acquire) & WOKEN != 0
}

/// Whether it is for whom `waker` wakes to come back when it is woken, which it is not yet.
fn waits_for(waiter: &Waiter, waker: &Waker) -> bool {
    // It may be woken before it knows of the waker, and then not by that; but it says so first.
    waiter.park().is_for(waker) && !is_woken(waiter)
}

/// Waits for the few instructions until a waiter that is committed is woken.
fn settle(waiter: &Waiter) {
    while !is_woken(waiter) {
        // A model that has failed is left by all.
        if cfg!(loom) && std::thread::panicking() {
            return;
        }
        sync::spin();
    }
}

fn thin(why: &dyn Blocked) -> *const () {
    std::ptr::from_ref(why).cast()
}

/// # Safety
/// It is not used for longer than it is there.
unsafe fn forever(why: &dyn Blocked) -> NonNull<dyn Blocked> {
    // SAFETY: only the lifetime changes.
    unsafe {
        std::mem::transmute::<NonNull<dyn Blocked + '_>, NonNull<dyn Blocked>>(NonNull::from(why))
    }
}

/// The waiter of an alternation, in a future; its offers are in the guards.
pub(crate) struct AwaitedMany(UnsafeCell<Option<Waiter>>);

impl AwaitedMany {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn waiter(&self) -> &Waiter {
        // SAFETY: written by `make` and `clear` only, while nobody refers to it.
        unsafe { &*self.0.get() }.as_ref().expect("it stands")
    }

    /// A waiter for so many offers, for whom `waker` wakes.
    ///
    /// # Safety
    /// As [`Awaited::stand`]; before it is dropped all offers are withdrawn and [`clear`](Self::clear) is called.
    pub(crate) unsafe fn make(&self, waker: &Waker, live: u32, why: &dyn Blocked) -> &Waiter {
        // SAFETY: not used after `forgets`, in `clear`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        // SAFETY: nobody stands here.
        let slot = unsafe { &mut *self.0.get() };
        let waiter = slot.insert(Waiter::of(Whom::awaiting(awaiter, false), live));
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
        waiter
    }

    /// What it has come to; None: nothing yet. If its time has `come`, or others are to be woken than before, it withdraws.
    pub(crate) fn poll(&self, waker: &Waker, come: bool) -> Option<Outcome> {
        let waiter = self.waiter();
        if is_woken(waiter) {
            return Some(waiter.outcome());
        }
        if !come && waits_for(waiter, waker) {
            return None;
        }
        Some(self.withdraw())
    }

    /// Nobody commits it any more; its offers still stand. If it was committed, it is woken when this returns.
    pub(crate) fn withdraw(&self) -> Outcome {
        let waiter = self.waiter();
        if waiter.leave(WITHDRAWN) {
            return Outcome::Withdrawn;
        }
        settle(waiter);
        waiter.outcome()
    }

    pub(crate) fn clear(&self, why: &dyn Blocked) {
        let park = self.waiter().park();
        // SAFETY: nobody else refers to it any more.
        unsafe { *self.0.get() = None };
        park.forgets(thin(why));
    }
}

/// A waiter in a future, at a [`Seat`].
pub(crate) struct Sitting(UnsafeCell<Option<Waiter>>);

impl Sitting {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn waiter(&self) -> Option<&Waiter> {
        // SAFETY: written by `sit` and `clear` only, while nobody refers to it.
        unsafe { &*self.0.get() }.as_ref()
    }

    pub(crate) fn sits(&self) -> bool {
        self.waiter().is_some()
    }

    /// Sits down, as whom `waker` wakes.
    ///
    /// # Safety
    /// As [`Awaited::stand`]; before it is dropped [`leave`](Self::leave) is called.
    pub(crate) unsafe fn sit(&self, waker: &Waker, seat: &mut Seat, why: &dyn Blocked) {
        // SAFETY: not used after `forgets`, in `clear`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        // SAFETY: nobody sits here.
        let slot = unsafe { &mut *self.0.get() };
        let waiter = slot.insert(Waiter::of(Whom::awaiting(awaiter, true), 1));
        assert!(seat.0.is_none(), "one process at a time waits here");
        seat.0 = Some(NonNull::from(&*waiter));
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
    }

    /// Whether it was called. `lock` gives the seat, locked, as in [`Awaited::poll`].
    pub(crate) fn poll<S>(
        &self,
        waker: &Waker,
        why: &dyn Blocked,
        lock: impl FnOnce() -> S,
        seat: impl FnOnce(&mut S) -> &mut Seat,
    ) -> bool {
        let waiter = self.waiter().expect("it sits");
        if !is_woken(waiter) {
            if waits_for(waiter, waker) {
                return false;
            }
            let mut locked = lock();
            if seat(&mut locked).is_of(waiter) {
                becomes(waiter, waker, why);
                return false;
            }
        }
        true
    }

    /// It was called, or goes. `seat` is locked.
    pub(crate) fn leave<S>(
        &self,
        mut locked: S,
        seat: impl FnOnce(&mut S) -> &mut Seat,
        why: &dyn Blocked,
    ) {
        let Some(waiter) = self.waiter() else { return };
        let seat = seat(&mut locked);
        // Else it was called, and that is done under this lock.
        if seat.is_of(waiter) {
            seat.0 = None;
        }
        drop(locked);
        waiter.park().forgets(thin(why));
        // SAFETY: nobody else refers to it any more.
        unsafe { *self.0.get() = None };
    }
}

impl Seat {
    fn is_of(&self, waiter: &Waiter) -> bool {
        self.0.is_some_and(|sits| std::ptr::eq(sits.as_ptr(), waiter))
    }
}
