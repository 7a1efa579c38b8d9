//! The process or stranger that an awaited operation wakes.
#![allow(unsafe_code)]

use std::ptr;
use std::task::Waker;
use std::time::Instant;

use super::head::Head;
use super::wakes::{Stranger, Wakes, apart};
use crate::sync::{Arc, AtomicU32};
use crate::wait::blocked::Blocked;
use crate::wait::park::{Park, mark_woken};

impl Park for Stranger {
    fn park(&self, _: &dyn Blocked, _: Option<Instant>) -> bool {
        unreachable!("a future does not park")
    }

    fn unpark(&self) {
        self.wake();
    }

    fn wake_awaiting(&self, state: &AtomicU32) {
        // SAFETY: it was made by `of_waker`, in an `Arc`, of which the operation still has its share.
        let this = unsafe { self.share() };
        mark_woken(state);
        this.wake();
    }

    fn wake_awaiting_later(&self, state: &AtomicU32, later: &mut Wakes) {
        // SAFETY: as above.
        let this = unsafe { self.share() };
        mark_woken(state);
        later.push(this);
    }

    fn forgets(&self, _: *const ()) {
        // SAFETY: the operation's share, which `awaiter` gave it.
        let share = unsafe { Arc::from_raw(self) };
        apart(|| drop(share));
    }

    fn is_for(&self, waker: &Waker) -> bool {
        if self.lock().as_ref().is_some_and(|mine| mine.will_wake(waker)) {
            return true;
        }
        let new = waker.clone();
        let before = self.lock().replace(new);
        apart(|| drop(before));
        true
    }
}

/// The process or stranger that an operation wakes, if it is polled with a waker. The operation tells the end of
/// its wait by `forgets`. It is one word. The lowest bits are free, except that `of_waker` marks strangers there.
#[derive(Clone, Copy)]
pub(crate) struct Awaiter(*const ());

impl Awaiter {
    /// A stranger, and no head.
    const STRANGER: usize = 4;

    /// Makes the awaiter of a waker. It may be called under a lock. A stranger does not know of the waker yet: after this the
    /// operation is polled again, or [`is_for`](Park::is_for) is asked, with no lock held.
    ///
    /// # Safety
    /// The result is not used after `forgets`.
    pub(crate) unsafe fn of_waker(waker: &Waker) -> Self {
        const { assert!(align_of::<Head>() > Self::STRANGER) };
        const { assert!(align_of::<Stranger>() > Self::STRANGER) };
        if let Some(head) = Head::of(waker) {
            // `awaits` and `forgets` see to it that it lasts until `forgets`.
            return Self(ptr::from_ref(head).cast());
        }
        // SAFETY: the caller's promise.
        unsafe { Self::stranger() }
    }

    /// Makes a stranger that knows of no waker yet: see [`of_waker`](Self::of_waker).
    ///
    /// # Safety
    /// The result is not used after `forgets`.
    pub(crate) unsafe fn stranger() -> Self {
        // Given back in `forgets`.
        let stranger = Arc::into_raw(Arc::new(Stranger::new()));
        Self(stranger.cast::<()>().map_addr(|at| at | Self::STRANGER))
    }

    /// Returns it as one word, of which the lowest two bits are 0.
    pub(crate) fn thin(self) -> *const () {
        self.0
    }

    /// # Safety
    /// It was given by `thin`, of one that may still be used.
    pub(crate) unsafe fn of(thin: *const ()) -> Self {
        Self(thin)
    }

    /// Returns whether it is a stranger.
    #[inline(always)]
    pub(crate) fn is_strange(self) -> bool {
        self.0.addr() & Self::STRANGER != 0
    }

    pub(crate) fn park(self) -> &'static dyn Park {
        if !self.is_strange() {
            // SAFETY: it is a head, which is there until `forgets`.
            return unsafe { &*self.0.cast::<Head>() };
        }
        // SAFETY: as above, a stranger.
        unsafe { &*self.0.map_addr(|at| at & !Self::STRANGER).cast::<Stranger>() }
    }
}
