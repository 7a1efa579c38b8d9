//! A lock word that belongs to one thread until another comes.
//!
//! While only its owner uses it nothing is exchanged atomically, which would be a full barrier: 8 of the 20 ns of
//! a communication. The first other thread takes the word from its owner for good, and from then on all exchange.
//!
//! The owner marks the word as in use and then makes sure that it still is the owner. The other thread takes the ownership
//! away and then makes sure that the word is not in use. One of the two sees the other, if each writes before it reads. The
//! owner's side only needs the order of its instructions. That suffices because the other side makes every thread of the
//! program pass a barrier in between (`membarrier`). This is Dekker's idea made asymmetric, as in folly and
//! crossbeam-epoch:
//! - the owner had marked before that barrier: its mark is seen, and the other thread waits for it.
//! - or it marks after the barrier: then it looks after the barrier too, and sees that it owns nothing.
//!
//! A thread that takes work from another one takes many words at once. It marks each of them as being taken, passes one
//! barrier, and then finishes each alone, so it never holds one word and waits for another. A thread that meets the mark
//! earlier takes the word itself, at the price of a barrier of its own.
//!
//! An owner can also give up its word, so that another thread needs no barrier.
//!
//! The owner is told by the address of something of its thread's own. A later thread that gets the same address owns the
//! word as well. That is right, because the earlier thread has ended, and not while it was in a lock.
//!
//! The models use this word with a fence on each side instead of the barrier. In most of them the locks of channels have a simpler
//! word.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
#[cfg(loom)]
use loom::thread::yield_now as spin;
#[cfg(not(loom))]
use std::cell::Cell;
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence};
#[cfg(not(loom))]
use std::thread::yield_now as spin;

#[cfg(loom)]
use super::checked::{Cell, Word as Exchanged};
use super::planted::is_planted;

/// A value of `owner` that is no address.
const NOBODY: usize = 0;

/// Beside the address of an owner, which is even: the word is being taken from it.
const TAKEN: usize = 1;

/// Invariant: the thread that is in has marked `in_use`, as the owner, or has taken `shared`, if there
/// is no owner.
pub(crate) struct Word {
    owner: AtomicUsize,
    /// Written by the owner only.
    in_use: AtomicBool,
    shared: Exchanged,
    /// Whether the thread that is in is the owner.
    owned: Cell<bool>,
}

impl Word {
    /// Returns the moments for a lock that is held briefly.
    #[inline(always)]
    pub(crate) const fn hurried() -> u32 {
        2
    }

    /// Makes a word. `owner` is the thread that it is to belong to. `None` means no thread.
    pub(crate) fn new(owner: Option<usize>) -> Self {
        Self {
            owner: AtomicUsize::new(owner.unwrap_or(NOBODY)),
            in_use: AtomicBool::new(false),
            shared: Exchanged::new(),
            owned: Cell::new(owner.is_some()),
        }
    }

    /// Takes the word for the thread `here`. `moments`, of some 40 ns each, pass between two looks
    /// at a word that is taken.
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

    /// Returns whether no other thread than `here` has been in up to now. If so, the state that the caller found
    /// there earlier still holds.
    ///
    /// Asked while another lock is held, it orders the two: a thread that has been in here and then in the other is seen.
    #[inline(always)]
    pub(crate) fn is_alone(&self, here: usize) -> bool {
        light_barrier();
        self.owner.load(Ordering::Relaxed) == here
    }

    /// Returns whether the caller, which is in, is the owner. Then no other thread has been in up to now.
    #[inline(always)]
    pub(crate) fn is_owned(&self) -> bool {
        self.owned.get()
    }

    /// Marks the word as in use and returns true, if `here` still is its owner.
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

    /// Takes it from its owner. The caller has taken `shared`, so only one thread does this.
    #[cold]
    #[inline(never)]
    fn revoke(&self) {
        let is_marked = self.owner.load(Ordering::Relaxed) & TAKEN != 0;
        self.owner.store(NOBODY, Ordering::Relaxed);
        // The thread that has marked the word may not have passed its barrier yet.
        if !is_marked || !is_planted("no barrier at a mark") {
            heavy_barrier();
        }
        self.disown();
    }

    /// Waits until the owner, which owns the word no more, has gone.
    fn disown(&self) {
        while self.in_use.load(Ordering::Acquire) && !is_planted("no wait for the mark") {
            spin();
        }
        self.owned.set(false);
    }

    /// Begins to take the word from its owner. Returns whether the caller has to [`finish`](Self::finish) that, after a
    /// heavy barrier.
    pub(crate) fn mark(&self) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        let has_owner = owner != NOBODY && owner & TAKEN == 0;
        has_owner && {
            let (relaxed, taken) = (Ordering::Relaxed, owner | TAKEN);
            self.owner.compare_exchange(owner, taken, relaxed, relaxed).is_ok()
        }
    }

    /// Finishes what [`mark`](Self::mark) began, unless another thread has.
    pub(crate) fn finish(&self, here: usize) {
        self.shared.acquire(here, Self::hurried);
        if self.owner.load(Ordering::Relaxed) & TAKEN != 0 {
            self.disown();
            self.owner.store(NOBODY, Ordering::Relaxed);
        }
        self.shared.release();
    }

    /// Lets the word belong to nobody from now on, if it belongs to `here`. This takes no heavy barrier, because the owner knows
    /// that it is not in.
    pub(crate) fn give_up(&self, here: usize) {
        if self.owner.load(Ordering::Relaxed) & !TAKEN != here {
            return;
        }
        let alone = is_planted("given up beside another");
        if !alone {
            self.shared.acquire(here, Self::hurried);
        }
        if self.owner.load(Ordering::Relaxed) != NOBODY {
            self.owned.set(false);
            self.owner.store(NOBODY, Ordering::Relaxed);
        }
        if !alone {
            self.shared.release();
        }
    }

    /// Gives the word back. Only the thread that is in calls this.
    #[inline(always)]
    pub(crate) fn release(&self) {
        if self.owned.get() {
            self.in_use.store(false, Ordering::Release);
        } else {
            self.shared.release();
        }
    }

    /// Does [`release`](Self::release) for the owner.
    #[inline(always)]
    pub(crate) fn release_owned(&self) {
        debug_assert!(self.owned.get());
        self.in_use.store(false, Ordering::Release);
    }

    #[cfg(loom)]
    pub(crate) fn number(&self) -> usize {
        self.shared.number()
    }
}

/// One word for all threads. In a model it is a mutex, because a model would explore all turns of a loop
/// that spins.
#[cfg(not(loom))]
struct Exchanged(AtomicBool);

#[cfg(not(loom))]
impl Exchanged {
    /// After this many moments a thread that found it taken lets others have the core.
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
            // core away. In that case it may wait for our core.
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

/// Orders this thread with one that passes the heavy barrier. Either a write before this barrier is seen by
/// the thread that passes the heavy one later. Or this thread afterwards sees the writes that the other
/// made before the heavy one.
#[inline(always)]
fn light_barrier() {
    #[cfg(not(loom))]
    compiler_fence(Ordering::SeqCst);
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}

fn heavy_barrier() {
    #[cfg(not(loom))]
    super::barrier::pass();
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}
