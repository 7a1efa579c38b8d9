//! How a plain thread waits.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::patience::Patience;
use super::relief::{self, Sleep};
use super::sleeping::Sleeping;
use crate::sync::{self, AtomicU32, Ordering, thread};
use crate::system::quiet;
use crate::wait::blocked::Blocked;
use crate::wait::parking::Park;
use crate::wait::seen::links;

std::thread_local! {
    pub(super) static LATE: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is ending, and has lost the data that the standard library and others keep with it. Then
/// `std::thread::current()` panics. So a thread that waits now sleeps and looks by turns.
pub(super) fn is_late() -> bool {
    LATE.get()
}

fn doze() {
    std::thread::sleep(Duration::from_micros(200));
}

const EMPTY: u32 = 0;

const PARKED: u32 = 1;

pub(super) const UNPARKED: u32 = 2;

/// Parked with a deadline: it wakes by itself.
const DOZING: u32 = 3;

/// Parked, and reading messages of other OS processes meanwhile.
const LEADING: u32 = 4;

/// The same, and counted as asleep, because there was nothing to see.
const LEADING_ASLEEP: u32 = 5;

/// How a plain thread waits. Never freed, only used again by a later thread, so that a late `unpark`
/// finds it even if its thread is gone.
///
/// In cache lines of its own: its partner takes them away with each `unpark`.
#[repr(align(128))]
pub(crate) struct ThreadPark {
    pub(super) state: AtomicU32,
    patience: Patience,
    pub(super) thread: sync::Mutex<Option<thread::Thread>>,
    /// A thread uses it that does not schedule others.
    pub(super) in_use: AtomicBool,
    /// The number that the system has given that thread.
    pub(super) number: AtomicU32,
    pub(super) sleeping: Sleeping,
}

impl ThreadPark {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            patience: Patience::new(),
            thread: sync::Mutex::new(None),
            in_use: AtomicBool::new(false),
            number: AtomicU32::new(0),
            sleeping: Sleeping::new(),
        }
    }

    /// Reads messages of other OS processes, if there are any such processes and no other thread reads. Returns whether
    /// the unpark has come.
    #[inline(always)]
    fn lead(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        links::is_linked() && self.lead_linked(why, deadline)
    }

    #[cold]
    fn lead_linked(&self, why: &dyn Blocked, deadline: Option<Instant>) -> bool {
        if !self.turns(EMPTY, LEADING) {
            links::ring();
            return self.take();
        }
        let _absence = relief::leave(Sleep::until(deadline));
        let mut shown = None;
        let until = || self.state.load(Ordering::Relaxed) == UNPARKED;
        let over = links::lead(&until, deadline, &mut || {
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
        // The `unpark` has come already, or comes while this thread looks for it.
        if self.lead(why, deadline) || self.patience.look(deadline, || self.take()) || self.take() {
            return true;
        }
        // From here on an `unpark` has to wake the thread.
        let parked = if deadline.is_none() { PARKED } else { DOZING };
        if self.state.compare_exchange(EMPTY, parked, Ordering::Relaxed, Ordering::Acquire).is_err()
        {
            return self.take();
        }
        // The thread shows its wait before it sleeps. Without a deadline it then counts as asleep.
        let since = Instant::now();
        let absence = relief::leave(Sleep::until(deadline));
        let shown = self.sleeping.show(why, deadline);
        if deadline.is_none() {
            quiet::fall_asleep();
        }
        let woken = loop {
            match deadline {
                _ if is_late() => doze(),
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
        // This comes before the `unpark` is taken: a thread that looks meanwhile must see that it
        // has come.
        drop(shown);
        drop(absence);
        // An `unpark` that came in between stays for the next `park`.
        (woken
            || self
                .state
                .compare_exchange(DOZING, EMPTY, Ordering::Relaxed, Ordering::Relaxed)
                .is_err())
            && self.take()
    }

    fn wait_outside(&self, why: &dyn Blocked, wait: &mut dyn FnMut()) {
        let _absence = relief::leave(Sleep::Counted);
        let shown = self.sleeping.show(why, None);
        quiet::fall_asleep();
        wait();
        // It counts before it hides: a thread that has seen it asleep sees that this is over.
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
            links::poke();
        } else if before == PARKED || before == DOZING {
            // The thread may have gone on by now. Then this wakes it, or a later one, in vain.
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
