//! A lock word that belongs to one thread until another comes.
//!
//! While only its owner uses it nothing is exchanged atomically, which would be a full barrier: 8 of the 20 ns of
//! a communication. The first other thread takes the word from its owner for good, and from then on all exchange.
//!
//! The owner marks the word as in use and then makes sure that it still is the owner; the other takes the ownership away and
//! then makes sure that the word is not in use. One of the two sees the other, if each writes before it reads. On the
//! owner's side that takes nothing but the order of its instructions, because the other has every thread of the program
//! pass a barrier in between (`membarrier`; Dekker's idea made asymmetric, as in folly and crossbeam-epoch):
//! - the owner had marked before that barrier: its mark is seen, and waited for;
//! - or it marks after the barrier: then it looks after the barrier too, and sees that it owns nothing.
//!
//! The owner is told by the address of something of its thread's own. A thread that comes to the same address later owns the
//! word as well, which is right: the one before has ended, and not while it was in a lock.
//!
//! The models take this word, with a fence of each side for its barrier; their processes have a simpler one.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence};

#[cfg(loom)]
use super::checked::Word as Exchanged;
use super::{Cell, spin};

/// In `owner`; no address.
const NOBODY: usize = 0;

/// What holds: who is in has marked `in_use`, as the owner, or has taken `shared`, if there is no owner.
pub(crate) struct Word {
    owner: AtomicUsize,
    /// Written by the owner only.
    in_use: AtomicBool,
    shared: Exchanged,
    /// Whether who is in is the owner.
    owned: Cell<bool>,
}

impl Word {
    /// For a lock that is held briefly.
    #[inline(always)]
    pub(crate) const fn hurried() -> u32 {
        2
    }

    /// `owner`: the thread that it is to belong to; None: to nobody.
    pub(crate) fn new(owner: Option<usize>) -> Self {
        Self {
            owner: AtomicUsize::new(owner.unwrap_or(NOBODY)),
            in_use: AtomicBool::new(false),
            shared: Exchanged::new(),
            owned: Cell::new(owner.is_some()),
        }
    }

    /// Of the thread `here`. `moments`: of some 40 ns, between two looks at a word that is taken.
    #[inline(always)]
    pub(crate) fn acquire(&self, here: usize, moments: impl FnOnce() -> u32) {
        if self.owner.load(Ordering::Relaxed) == here && self.enter(here) {
            return;
        }
        self.shared.acquire(here, moments);
        if self.owner.load(Ordering::Relaxed) != NOBODY {
            self.revoke();
        }
    }

    /// The owner, if it still is the owner.
    #[inline(always)]
    fn enter(&self, here: usize) -> bool {
        self.in_use.store(true, Ordering::Relaxed);
        light_barrier();
        let owns = self.owner.load(Ordering::Acquire) == here;
        if !owns {
            self.in_use.store(false, Ordering::Release);
        }
        owns
    }

    /// Takes it from its owner. By whoever has taken `shared`, so that there is one.
    #[cold]
    #[inline(never)]
    fn revoke(&self) {
        self.owner.store(NOBODY, Ordering::Relaxed);
        heavy_barrier();
        while self.in_use.load(Ordering::Acquire) {
            spin();
        }
        self.owned.set(false);
    }

    /// Called by whoever is in.
    #[inline(always)]
    pub(crate) fn release(&self) {
        if self.owned.get() {
            self.in_use.store(false, Ordering::Release);
        } else {
            self.shared.release();
        }
    }
}

/// One for all threads; in a model a mutex, for of a loop that spins all turns would have to be explored.
#[cfg(not(loom))]
struct Exchanged(AtomicBool);

#[cfg(not(loom))]
impl Exchanged {
    /// So many moments after it was found taken others may have the core.
    const PATIENCE: u32 = 128;

    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[inline(always)]
    fn acquire(&self, _: usize, moments: impl FnOnce() -> u32) {
        if self.0.swap(true, Ordering::Acquire) {
            self.wait(moments());
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, moments: u32) {
        let mut left = Self::PATIENCE;
        loop {
            // The holder is some tens of instructions from the end, unless the kernel has taken its
            // core away; then ours may be what it waits for.
            if left > 0 {
                left = left.saturating_sub(moments);
                (0..moments).for_each(|_| std::hint::spin_loop());
            } else {
                std::thread::yield_now();
            }
            if !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }

    #[inline(always)]
    fn release(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What is written before is seen by whoever passes the heavy one later; or what that has written before is seen
/// afterwards.
#[inline(always)]
fn light_barrier() {
    #[cfg(not(loom))]
    compiler_fence(Ordering::SeqCst);
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}

fn heavy_barrier() {
    #[cfg(not(loom))]
    crate::backend::slab::barrier::pass();
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}
