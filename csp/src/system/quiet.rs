//! How many threads are awake: what becomes 0 when nothing can happen any more.
//!
//! The count covers every thread that has used this library, while it does not sleep until another thread wakes
//! it. The waking thread counts the sleeper first, and only then may fall asleep itself. So if the count is 0,
//! nobody is awake and nobody is about to be, except threads that this library has not met. The system tells of
//! those.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::thread::Thread;

use super::forked::{self, Afresh};
use crate::system::shared::{AtomicBool, AtomicU64, AtomicUsize};

/// The count, and above it the number of times that it has grown.
static AWAKE: AtomicU64 = AtomicU64::new(0);
const ONE: u64 = 1;
const GROWN: u64 = 1 << 32;

/// Threads that are known, asleep or not.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// The function that starts the watch, if nobody has started it yet: see [`watched_by`].
static START: OnceLock<fn()> = OnceLock::new();

/// The function that tells whether a process waits for something from outside: see [`woken_from_outside_if`].
static EXPECTS: OnceLock<fn() -> bool> = OnceLock::new();

/// The thread that is told when the count is 0.
static WATCH: Afresh<OnceLock<Thread>> = Afresh::new();
static ALERTED: AtomicBool = AtomicBool::new(false);

/// The count at one moment, told apart from the same count later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(AWAKE.load(Ordering::SeqCst))
    }

    /// Returns whether this many are awake.
    pub(crate) fn counts(self, awake: isize) -> bool {
        (self.0 as u32).cast_signed() as isize == awake
    }
}

std::thread_local! {
    static KIND: Cell<ThreadKind> = const { Cell::new(ThreadKind::Other) };
    static JOINED: Cell<bool> = const { Cell::new(false) };
}

/// A thread, before it uses the library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadKind {
    /// The user's, or a backend's.
    Other,
    /// It is known.
    Known,
    /// It is known, and the work it does is counted by those who give it the work.
    Lent,
}

/// Counts this thread, because it uses the library from now on.
pub(crate) fn join() {
    if cfg!(not(loom)) {
        forked::begin_copies(begin_copy);
        JOINED.set(true);
        KNOWN.fetch_add(usize::from(KIND.get() == ThreadKind::Other), Ordering::SeqCst);
        if KIND.get() != ThreadKind::Lent {
            wake();
        }
    }
}

/// Begins anew in a copy made by `fork`: of all counted threads only this one is left. It runs, so
/// it is awake.
fn begin_copy() {
    let counted = JOINED.get() || KIND.get() == ThreadKind::Lent;
    KNOWN.store(usize::from(counted), Ordering::SeqCst);
    AWAKE.store(u64::from(counted) * ONE, Ordering::SeqCst);
    ALERTED.store(false, Ordering::SeqCst);
}

/// Stops counting this thread, because it ends.
pub(crate) fn leave() {
    if cfg!(not(loom)) {
        JOINED.set(false);
        if KIND.get() != ThreadKind::Lent {
            fall_asleep();
        }
        KNOWN.fetch_sub(usize::from(KIND.get() == ThreadKind::Other), Ordering::SeqCst);
    }
}

/// Does a job that is counted already, on a thread of any kind. If the thread becomes a process for that, it is not counted again.
pub(crate) fn lent(job: impl FnOnce()) {
    struct Back(ThreadKind);
    impl Drop for Back {
        fn drop(&mut self) {
            KIND.set(self.0);
        }
    }
    let _back = Back(KIND.replace(ThreadKind::Lent));
    job();
}

/// Says that this thread does one job at a time for others. Each job is counted as awake from the moment it was
/// given away. Between jobs the thread sleeps.
pub(crate) fn lend_this_thread() {
    KNOWN.fetch_add(1, Ordering::SeqCst);
    KIND.set(ThreadKind::Lent);
}

/// Ends what `lend_this_thread` has begun.
pub(crate) fn give_back_this_thread() {
    KNOWN.fetch_sub(1, Ordering::SeqCst);
}

/// Says that this thread is one of the library's own that does nothing by itself.
pub(crate) fn ignore_this_thread() {
    KNOWN.fetch_add(1, Ordering::SeqCst);
    KIND.set(ThreadKind::Known);
}

/// Says that this thread is about to sleep until it is woken.
#[inline]
pub(crate) fn fall_asleep() {
    if cfg!(not(loom)) && AWAKE.fetch_sub(ONE, Ordering::SeqCst) as u32 == 1 {
        alert();
    }
}

/// Says that a thread that has fallen asleep is about to be woken.
#[inline]
pub(crate) fn wake() {
    if cfg!(not(loom)) {
        AWAKE.fetch_add(ONE + GROWN, Ordering::SeqCst);
    }
}

/// Says which function starts the watch when nobody is awake. The code that makes an object to wait at
/// calls this, because nobody falls asleep for ever without such an object.
#[inline]
pub(crate) fn watched_by(start: fn()) {
    if START.get().is_none() {
        let _ = START.set(start);
    }
}

/// Says which function tells whether a process waits for something that comes from outside of the program, such as a
/// signal.
pub(crate) fn woken_from_outside_if(asks: fn() -> bool) {
    let _ = EXPECTS.set(asks);
}

/// Returns whether a process may be woken although no thread that is counted is awake.
pub(crate) fn may_be_woken() -> bool {
    has_strangers() || EXPECTS.get().is_some_and(|expects| expects())
}

#[cold]
fn alert() {
    if let Some(start) = START.get() {
        start();
    }
    if let Some(watch) = WATCH.get(OnceLock::new).get()
        && !ALERTED.swap(true, Ordering::SeqCst)
    {
        watch.unpark();
    }
}

/// Has the calling thread told when nobody is awake.
pub(crate) fn watch() {
    let _ = WATCH.get(OnceLock::new).set(std::thread::current());
}

/// Has the watch look up: another OS process asks it something. `quiet`: it is to look whether anybody here is awake.
pub(crate) fn call_watch(quiet: bool) {
    if quiet {
        return alert();
    }
    if let Some(watch) = WATCH.get(OnceLock::new).get() {
        watch.unpark();
    }
}

/// Returns whether that has happened since it was asked last.
pub(crate) fn was_alerted() -> bool {
    ALERTED.swap(false, Ordering::SeqCst)
}

/// Returns whether this program has threads that the library does not know. If the system does not tell, it
/// returns true.
pub(crate) fn has_strangers() -> bool {
    let known = KNOWN.load(Ordering::SeqCst);
    // Linux: an entry for each thread. One that is ending may still be there, and then is a stranger.
    std::fs::read_dir("/proc/self/task").map_or(true, |threads| threads.count() > known)
}
