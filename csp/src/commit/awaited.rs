//! Waiters and offers that lie in futures, which may be dropped at any time.
//!
//! Between its commit and its wake-up a waiter belongs to the thread that has committed it. A drop that comes then waits until the
//! waiter is woken, so nothing that may last comes in between. Two things may last: the end of an extended read, and a value that
//! is made only after the commit. They go through an object of their own on the heap, a `Gate` or a `Promise`, which outlives
//! either side.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::task::Waker;

use super::offer::Offer;
use super::parcel::Parcel;
use super::queue::{Count, Queue};
use super::seat::Seat;
use super::waiter::{OFFERING, Outcome, WITHDRAWN, Waiter, Whom};
use crate::sync::{self, Ordering};
use crate::wait::blocked::Blocked;
use crate::wait::future::Awaiter;
use crate::wait::park::{Park, WOKEN};

/// A waiter in a future, with its offer.
///
/// Invariants:
/// - It stands pinned, and is not dropped while it stands. Its owner's `Drop` calls [`withdraw`](Self::withdraw). An owner that does
///   not stand in a queue alone sees to it in another way.
/// - The thread that commits it wakes it some instructions later, and nothing that may last comes in between. So a drop that finds
///   it committed spins until it is woken.
/// - It stays on its thread, with the head that it stands for. It is not `Send`, and neither is a future that it lies in. One that
///   only ever [stands as a stranger](Self::stand_as_stranger) belongs to no thread. Its owner may move between polls.
pub(crate) struct Awaited<T>(UnsafeCell<Option<OwnOffer<T>>>);

struct OwnOffer<T> {
    waiter: Waiter,
    offer: Offer<T>,
}

impl<T> Awaited<T> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn stood(&self) -> Option<&OwnOffer<T>> {
        // SAFETY: written by `make` and `take` only, while nobody refers to it.
        unsafe { &*self.0.get() }.as_ref()
    }

    /// Returns the parcel of the offer, which is there also while the offer stands nowhere.
    pub(crate) fn parcel(&self) -> &Parcel<T> {
        if self.stood().is_none() {
            self.makes_empty();
        }
        &self.offer().value
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn makes_empty(&self) {
        // SAFETY: nothing is there, so nobody refers to it.
        let slot = unsafe { &mut *self.0.get() };
        *slot =
            Some(OwnOffer { waiter: Waiter::of(Whom(ptr::null()), 0), offer: Offer::unstood() });
    }

    fn make(&self, awaiter: Awaiter, extended: bool) -> &OwnOffer<T> {
        if self.stood().is_none() {
            self.makes_empty();
        }
        // SAFETY: nothing stands, so nobody refers to it.
        let stood = unsafe { &mut *self.0.get() }.as_mut().expect("as made");
        stood.waiter = Waiter::of(Whom::awaiting(awaiter, true), 1);
        stood.offer.is_of(&stood.waiter, 0, extended);
        stood
    }

    /// Stands in a queue, with the value in the parcel. `why` is its wait, and `waker` wakes it. If it
    /// [is strange](Self::is_strange) it does not know of its waker yet. Then it is to be polled once more when the queue's lock is
    /// free.
    ///
    /// # Safety
    /// `self` and `why` are pinned, and [`withdraw`](Self::withdraw) is called before they are dropped.
    pub(crate) unsafe fn stand<C: Count>(
        &self,
        waker: &Waker,
        queue: &mut Queue<T, C>,
        extended: bool,
        why: &dyn Blocked,
    ) {
        // SAFETY: not used after `forgets`, in `take`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        let stood = self.make(awaiter, extended);
        // SAFETY: it is pinned, and taken out before it is dropped.
        unsafe { queue.push(&stood.offer) };
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
    }

    /// Does the same for nobody yet. The waker of the next poll is then woken, even if it is that of a process of this thread. An
    /// offer that has stood so is never an operation of that process, so it may be polled and dropped on any thread.
    ///
    /// # Safety
    /// See [`stand`](Self::stand).
    pub(crate) unsafe fn stand_as_stranger<C: Count>(
        &self,
        queue: &mut Queue<T, C>,
        extended: bool,
    ) {
        // SAFETY: not used after `forgets`, in `take`.
        let stood = self.make(unsafe { Awaiter::stranger() }, extended);
        // SAFETY: it is pinned, and taken out before it is dropped.
        unsafe { queue.push(&stood.offer) };
    }

    /// Returns whether its waker is no process of this thread.
    #[inline(always)]
    pub(crate) fn is_strange(&self) -> bool {
        self.stood().is_some_and(|stood| stood.waiter.is_strange())
    }

    /// Returns whether its offer stands in its queue. Then the owner of the queue is there.
    pub(crate) fn stands(&self) -> bool {
        self.stood().is_some_and(|stood| stood.offer.queued.get())
    }

    /// Returns its outcome, or `None` if there is none yet. `lock` gives the queue, locked. It is called if `waker` wakes another process
    /// than before.
    pub(crate) fn poll<S>(
        &self,
        waker: &Waker,
        why: &dyn Blocked,
        lock: impl FnOnce() -> S,
    ) -> Option<Outcome> {
        let OwnOffer { waiter, offer } = self.stood().expect("it stands");
        if !is_woken(waiter) {
            if waits_for(waiter, waker) {
                return None;
            }
            let locked = lock();
            if offer.queued.get() {
                let before = becomes(waiter, waker, why);
                drop(locked);
                before.forgets(thin(why));
                if waits_for(waiter, waker) {
                    return None;
                }
            } else {
                drop(locked);
            }
            settle(waiter);
        }
        Some(waiter.outcome())
    }

    /// Returns the offer, once there is an outcome.
    pub(crate) fn offer(&self) -> &Offer<T> {
        &self.stood().expect("it stood").offer
    }

    /// Says that it stands no longer, and keeps the value in the parcel.
    pub(crate) fn leave(&self, why: &dyn Blocked) {
        if let Some(stood) = self.stood() {
            stood.waiter.park().forgets(thin(why));
        }
    }

    /// Says that it stands no longer, because it is woken, or was withdrawn.
    pub(crate) fn clear(&self, why: &dyn Blocked) {
        if let Some(stood) = self.stood() {
            let park = stood.waiter.park();
            // SAFETY: nobody else refers to it any more.
            let stood = unsafe { &mut *self.0.get() }.take();
            park.forgets(thin(why));
            drop(stood);
        }
    }

    /// Takes the offer out of its queue, which is locked. Returns false if it was committed. It is then woken when this returns.
    pub(crate) fn withdraw<S, C: Count>(
        &self,
        mut locked: S,
        queue: impl FnOnce(&mut S) -> &mut Queue<T, C>,
    ) -> bool {
        let OwnOffer { waiter, offer } = self.stood().expect("it stands");
        let stood = offer.queued.get();
        queue(&mut locked).remove(offer);
        drop(locked);
        if !stood {
            settle(waiter);
        }
        stood
    }
}

/// Makes `waker` wake it from now on. It is called under the lock, while the waiter is not committed. The process that was to be woken
/// before must forget the waiter when the lock is free, because that may end a process and drop values of the user.
#[must_use = "the process that was to be woken before must forget it"]
fn becomes(waiter: &Waiter, waker: &Waker, why: &dyn Blocked) -> &'static dyn Park {
    debug_assert!(!waiter.is_strange(), "a stranger is for any waker");
    let before = waiter.park();
    // SAFETY: not used after the next `forgets`.
    let awaiter = unsafe { Awaiter::of_waker(waker) };
    waiter.is_for(Whom::awaiting(awaiter, waiter.is_single()));
    // SAFETY: `forgets` comes before it is dropped.
    awaiter.park().awaits(unsafe { forever(why) });
    before
}

fn is_woken(waiter: &Waiter) -> bool {
    waiter.state.load(Ordering::Acquire) & WOKEN != 0
}

/// Returns whether the process that `waker` wakes will come back when the waiter is woken, which has not happened yet.
fn waits_for(waiter: &Waiter, waker: &Waker) -> bool {
    // It may be woken before it knows of the waker, and then not by that. But it says so first.
    waiter.park().is_for(waker) && !is_woken(waiter)
}

/// Waits for the few instructions until a waiter that is committed is woken.
fn settle(waiter: &Waiter) {
    while !is_woken(waiter) {
        // All threads leave a model that has failed.
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

/// The waiter of an alternation, in a future. Its offers are in the guards.
pub(crate) struct AwaitedMany(UnsafeCell<Option<Waiter>>);

impl AwaitedMany {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn waiter(&self) -> &Waiter {
        // SAFETY: written by `make` and `clear` only, while nobody refers to it.
        unsafe { &*self.0.get() }.as_ref().expect("it stands")
    }

    /// Returns whether it still offers all that it stands for. Threads that look ask this.
    pub(crate) fn offers(&self) -> bool {
        // SAFETY: as above. Its process does nothing meanwhile.
        let waiter = unsafe { &*self.0.get() }.as_ref();
        waiter.is_some_and(|waiter| waiter.state.load(Ordering::Acquire) == OFFERING)
    }

    /// Makes a waiter for so many offers, which `waker` wakes. If it is strange it is polled once more, as in [`Awaited::stand`].
    ///
    /// # Safety
    /// See [`Awaited::stand`]. Before it is dropped all offers are withdrawn and [`clear`](Self::clear) is called.
    pub(crate) unsafe fn make(&self, waker: &Waker, live: u32, why: &dyn Blocked) -> &Waiter {
        // SAFETY: not used after `forgets`, in `clear`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        // SAFETY: the caller's promise.
        unsafe { self.make_of(awaiter, live, why) }
    }

    /// Does the same for nobody yet: see [`Awaited::stand_as_stranger`].
    ///
    /// # Safety
    /// See `make`.
    pub(crate) unsafe fn make_strange(&self, live: u32, why: &dyn Blocked) -> &Waiter {
        // SAFETY: as above.
        unsafe { self.make_of(Awaiter::stranger(), live, why) }
    }

    unsafe fn make_of(&self, awaiter: Awaiter, live: u32, why: &dyn Blocked) -> &Waiter {
        // SAFETY: nobody stands here.
        let slot = unsafe { &mut *self.0.get() };
        let waiter = slot.insert(Waiter::of(Whom::awaiting(awaiter, false), live));
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
        waiter
    }

    /// Returns its outcome, or `None` if there is none yet. It withdraws if its time has `come`, or if `waker` wakes another process than
    /// before.
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

    /// Ends its waiting, so that nothing commits it any more. Its offers still stand. If it was committed, it is woken when this returns.
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

/// For an operation that is offered beyond this OS process. Its node decides about it under a lock of its own. A *mixed* one has
/// offers here, too, and the word of the waiter decides between the two.
///
/// The owner takes the lock of the node once more before it clears the waiter. A thread that has woken the waiter may still hold that
/// lock, and until then has a share in the process.
impl AwaitedMany {
    /// Returns whether a waiter is there.
    pub(crate) fn is_made(&self) -> bool {
        // SAFETY: as in `waiter`.
        unsafe { &*self.0.get() }.is_some()
    }

    /// Returns whether its node holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.waiter().is_held()
    }

    /// Returns its outcome, or `None` if there is none yet. A mixed one withdraws if its time has `come`, or if `waker` wakes
    /// another process than before. While its node has it, it stays, and wakes that process from now on. `while_standing` calls
    /// what it is given under the node's lock, if the operation stands there.
    pub(crate) fn poll_beyond(
        &self,
        waker: &Waker,
        why: &dyn Blocked,
        (mixed, come): (bool, bool),
        while_standing: impl Fn(&mut dyn FnMut()),
    ) -> Option<Outcome> {
        let waiter = self.waiter();
        if is_woken(waiter) {
            return Some(waiter.outcome());
        }
        let is_same = waits_for(waiter, waker);
        if is_same && !(mixed && come) {
            return None;
        }
        let (mut stays, mut before) = (false, None);
        // Its node may let it go in between. Then it is withdrawn after all.
        while !stays {
            if mixed && waiter.leave(WITHDRAWN) {
                return Some(Outcome::Withdrawn);
            }
            while_standing(&mut || {
                stays = !mixed || waiter.is_with_node();
                if stays && !is_same {
                    before = Some(becomes(waiter, waker, why));
                }
            });
            if !mixed || !waiter.offers() {
                break;
            }
        }
        if let Some(before) = before {
            before.forgets(thin(why));
        }
        if stays && waits_for(waiter, waker) {
            return None;
        }
        settle(waiter);
        Some(waiter.outcome())
    }

    /// Ends its waiting, because nobody awaits it any more. Returns `None` if its node had it and has abandoned it. `leave` asks the
    /// node for that, and has it ask whether it may.
    pub(crate) fn leave_beyond(
        &self,
        mixed: bool,
        leave: impl Fn(&dyn Fn() -> bool) -> bool,
    ) -> Option<Outcome> {
        let waiter = self.waiter();
        if !is_woken(waiter) {
            loop {
                if mixed && waiter.leave(WITHDRAWN) {
                    return Some(Outcome::Withdrawn);
                }
                if leave(&|| !mixed || waiter.is_with_node()) {
                    return None;
                }
                // Its node may have let it go in between. Then it is withdrawn after all.
                if !mixed || !waiter.offers() {
                    break;
                }
            }
            settle(waiter);
        }
        Some(waiter.outcome())
    }

    /// Returns its outcome. A call of its own process has decided it, so no thread wakes it.
    pub(crate) fn decided(&self) -> Option<Outcome> {
        self.waiter().decided()
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

    /// Returns whether its waker is no process of this thread.
    pub(crate) fn is_strange(&self) -> bool {
        self.waiter().is_some_and(Waiter::is_strange)
    }

    /// Takes the seat for the process that `waker` wakes. If that is strange it is polled once more, as in [`Awaited::stand`].
    ///
    /// # Safety
    /// See [`Awaited::stand`]. Before it is dropped [`leave`](Self::leave) is called.
    pub(crate) unsafe fn sit(&self, waker: &Waker, seat: &mut Seat, why: &dyn Blocked) {
        // SAFETY: not used after `forgets`, in `clear`.
        let awaiter = unsafe { Awaiter::of_waker(waker) };
        // SAFETY: nobody sits here.
        let slot = unsafe { &mut *self.0.get() };
        debug_assert!(seat.0.is_none(), "one process at a time waits here");
        let waiter = slot.insert(Waiter::of(Whom::awaiting(awaiter, true), 1));
        seat.0 = Some(NonNull::from(&*waiter));
        // SAFETY: `forgets` comes before it is dropped.
        awaiter.park().awaits(unsafe { forever(why) });
    }

    /// Returns whether it was called. `lock` gives the seat, locked, as in [`Awaited::poll`].
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
                let before = becomes(waiter, waker, why);
                drop(locked);
                before.forgets(thin(why));
                return !waits_for(waiter, waker);
            }
        }
        true
    }

    /// Leaves the seat, which is locked, because the process was called, or goes.
    pub(crate) fn leave<S>(
        &self,
        mut locked: S,
        seat: impl FnOnce(&mut S) -> &mut Seat,
        why: &dyn Blocked,
    ) {
        let Some(waiter) = self.waiter() else { return };
        let seat = seat(&mut locked);
        // Otherwise it was called, which happens under this lock.
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
