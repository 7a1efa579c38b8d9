//! The futures of one thread, and how they are woken: its executor.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ptr::{self, NonNull};
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::task::Waker;
use std::time::Instant;

use super::head::Head;
use super::look::ANY;
use super::wakes::apart;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, UnsafeCell, fence, per_thread};
use crate::wait::blocked::Blocked;
use crate::wait::park::{Context, Park};

per_thread! {
    /// One crowd of this thread. It handles deadlines that strangers await.
    static CROWD: std::cell::Cell<Option<&'static Crowd>> = std::cell::Cell::new(None);
}

per_thread! {
    static THREAD: u8 = 0;
}

/// Returns a number that tells this thread from all others that are alive.
#[inline]
pub(super) fn this_thread() -> usize {
    THREAD.with(|thread: &u8| ptr::from_ref(thread).addr())
}

/// The processes that are futures of one thread, and how they are woken. Never freed, only used again.
pub(crate) struct Crowd {
    pub(super) ready: RefCell<VecDeque<NonNull<Head>>>,
    inbox: Mutex<Vec<Letter>>,
    news: AtomicBool,
    asleep: AtomicBool,
    /// The process that polls them. It is written while nobody is asleep. A thread that has found
    /// it asleep reads it.
    host: UnsafeCell<Option<&'static dyn Park>>,
    pub(super) timers: RefCell<BTreeMap<(Instant, u64), Timer>>,
    pub(super) armed: std::cell::Cell<u64>,
    /// The thread that it belongs to. The value 0 means none.
    pub(super) thread: AtomicUsize,
}

/// A head, and a reference to it.
pub(super) struct Letter(NonNull<Head>);

// SAFETY: other threads may hold references to a head.
unsafe impl Send for Letter {}

// SAFETY: from other threads only inbox, `asleep` and `host` are used, the last as it says there.
unsafe impl Sync for Crowd {}

// SAFETY: as above. A crowd whose thread has ended is handed on through a mutex, empty.
unsafe impl Send for Crowd {}

impl Crowd {
    /// Returns the crowd of this thread, if it has one.
    pub(super) fn here() -> Option<&'static Self> {
        CROWD.with(std::cell::Cell::get)
    }

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

    /// Makes it this thread's crowd from now on.
    pub(crate) fn join_thread(&'static self) {
        ANY.store(true, Ordering::Relaxed);
        self.thread.store(this_thread(), Ordering::Relaxed);
        CROWD.with(|crowd| crowd.set(Some(self)));
    }

    /// Gives the crowd up, because the thread ends. No letter is left, because a letter would keep its process in memory.
    pub(crate) fn leave_thread(&'static self) {
        let mut letters = self.letters();
        self.thread.store(0, Ordering::Relaxed);
        let left = std::mem::take(&mut *letters);
        drop(letters);
        CROWD.with(|crowd| crowd.set(None));
        for Letter(head) in left {
            // SAFETY: the letter's reference.
            unsafe { Head::release(head) };
        }
        // Operations of this thread may still have alarms, and another thread may get the crowd. Then those alarms are no good any
        // more.
        let timers = self.timers.take();
        apart(|| drop(timers));
    }

    /// Returns whether its thread has ended. A thread that posts a letter asks while it holds the inbox, because then the
    /// answer still holds when the letter is there.
    pub(super) fn is_of_nobody(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == 0
    }

    /// Returns the next head that is ready.
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

    pub(super) fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many letters nobody has taken in.
    #[cfg(loom)]
    pub(crate) fn mail(&self) -> usize {
        self.letters().len()
    }

    /// Wakes a head from another thread, by a letter.
    pub(super) fn post(&self, mut letters: MutexGuard<'_, Vec<Letter>>, head: NonNull<Head>) {
        letters.push(Letter(head));
        drop(letters);
        self.news.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.rouse();
    }

    /// Wakes the process that polls them, if it sleeps. It is called when a head is ready or has a
    /// letter.
    #[inline]
    pub(crate) fn rouse(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // SAFETY: it was written before `asleep` was set, and is not before the unpark was taken.
            let host = unsafe { *self.host.get() };
            host.expect("it was asleep").unpark();
        }
    }

    /// Takes in the letters of other threads, and the deadlines that have come.
    #[inline]
    pub(crate) fn look_outside(&self) {
        self.take_letters();
        if !self.timers.borrow().is_empty() {
            self.wake_late(Instant::now());
        }
    }

    /// Takes in the letters of other threads.
    #[inline]
    pub(crate) fn take_letters(&self) {
        if self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::SeqCst) {
            let letters = std::mem::take(&mut *self.letters());

            for Letter(head) in letters {
                // SAFETY: the letter's reference.
                let there = unsafe { head.as_ref() };
                // The poll sees everything that was done before this. A thread that comes afterwards
                // posts another letter.
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
                // SAFETY: the operation that stands there holds it.
                Timer::Head(head) => unsafe { head.as_ref() }.wake_here(),
                Timer::Stranger(waker) => apart(|| waker.wake()),
            }
        }
    }

    /// Waits until some head may be ready, because none is. This is for the process that
    /// polls them.
    pub(crate) fn sleep(&self, context: &'static Context, why: &dyn Blocked) {
        // SAFETY: nobody is asleep, so nobody reads it.
        unsafe { *self.host.get() = Some(context.park()) };
        // Exchanged, not stored, so that all changes of it are in one order, no matter which thread
        // makes them.
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

/// The process or stranger that a deadline wakes.
pub(super) enum Timer {
    /// An operation of it stands, and holds it.
    Head(NonNull<Head>),
    Stranger(Waker),
}
