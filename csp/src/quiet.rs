//! How many threads are awake: what becomes 0 when nothing can happen any more.
//!
//! Counted is every thread that has used this library, while it does not sleep until somebody else wakes it. Who
//! wakes it counts it first, and only then may fall asleep himself. So when the count is 0 nobody is awake and
//! nobody is about to be, but for threads that this library has not met; those are told by the system.
#![cfg_attr(loom, allow(dead_code))]

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;

/// The count, and above it the number of times that it has grown.
static AWAKE: AtomicU64 = AtomicU64::new(0);
const ONE: u64 = 1;
const GROWN: u64 = 1 << 32;

/// Threads that are known, asleep or not.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Who is told when the count is 0.
static WATCH: OnceLock<Thread> = OnceLock::new();
static ALERTED: AtomicBool = AtomicBool::new(false);

/// The count at one moment, told apart from the same count later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(AWAKE.load(Ordering::SeqCst))
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.0 as u32 == 0
    }
}

std::thread_local! {
    static KIND: Cell<Kind> = const { Cell::new(Kind::Other) };
}

/// A thread, before it uses the library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The user's, or a backend's.
    Other,
    /// It is known.
    Known,
    /// It is known, and what it does is counted by who has it done.
    Lent,
}

/// This thread uses the library from now on.
pub(crate) fn join() {
    if cfg!(not(loom)) {
        KNOWN.fetch_add(usize::from(KIND.get() == Kind::Other), Ordering::SeqCst);
        if KIND.get() != Kind::Lent {
            wake();
        }
    }
}

/// This thread ends.
pub(crate) fn leave() {
    if cfg!(not(loom)) {
        if KIND.get() != Kind::Lent {
            fall_asleep();
        }
        KNOWN.fetch_sub(usize::from(KIND.get() == Kind::Other), Ordering::SeqCst);
    }
}

/// A thread that does one job at a time for others: each job is counted as awake from the moment it was given away,
/// and between jobs the thread sleeps.
pub(crate) fn lend_this_thread() {
    KNOWN.fetch_add(1, Ordering::SeqCst);
    KIND.set(Kind::Lent);
}

/// It ends.
pub(crate) fn give_back_this_thread() {
    KNOWN.fetch_sub(1, Ordering::SeqCst);
}

/// A thread of the library's own, that does nothing by itself.
pub(crate) fn ignore_this_thread() {
    KNOWN.fetch_add(1, Ordering::SeqCst);
    KIND.set(Kind::Known);
}

/// This thread is about to sleep until it is woken.
#[inline]
pub(crate) fn fall_asleep() {
    if cfg!(not(loom)) && AWAKE.fetch_sub(ONE, Ordering::SeqCst) as u32 == 1 {
        alert();
    }
}

/// A thread that has fallen asleep is about to be woken.
#[inline]
pub(crate) fn wake() {
    if cfg!(not(loom)) {
        AWAKE.fetch_add(ONE + GROWN, Ordering::SeqCst);
    }
}

#[cold]
fn alert() {
    // The one thing that is called up the floors: without processes nobody else would start the watch.
    crate::watch::start();
    if let Some(watch) = WATCH.get()
        && !ALERTED.swap(true, Ordering::SeqCst)
    {
        watch.unpark();
    }
}

/// Has the calling thread told when nobody is awake.
pub(crate) fn watch() {
    let _ = WATCH.set(std::thread::current());
}

/// Has the watch look up: another OS process asks it something. `quiet`: it is to look whether anybody here is awake.
#[allow(dead_code, reason = "for a backend that may not be compiled in")]
pub(crate) fn call_watch(quiet: bool) {
    if quiet {
        return alert();
    }
    crate::watch::start();
    if let Some(watch) = WATCH.get() {
        watch.unpark();
    }
}

/// Whether that has happened since it was asked last.
pub(crate) fn was_alerted() -> bool {
    ALERTED.swap(false, Ordering::SeqCst)
}

/// Whether this program has threads that the library does not know; where the system does not tell, it has.
pub(crate) fn has_strangers() -> bool {
    let known = KNOWN.load(Ordering::SeqCst);
    // Linux: an entry for each thread. One that is ending may still be there, and then is a stranger.
    std::fs::read_dir("/proc/self/task").map_or(true, |threads| threads.count() > known)
}
