//! Knowing that a process waits in a certain operation: an event, where others would sleep and
//! hope.
//!
//! A process announces its next operation; then it waits there when it cannot be running:
//! * a coroutine of the asking thread, because the asker runs, and after the announcement only that
//!   operation suspends it;
//! * a process on another thread, once the system shows that thread asleep. After the announcement
//!   it sleeps nowhere else but for moments (a lock of the allocator), so it has to be seen asleep
//!   several times in a row.
//!
//! Where the system does not tell (no `/proc`), a pause must do, and the laws about order are as
//! good as the pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Says that a process is about to wait, and finds out that it does.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    thread: Arc<AtomicU64>,
    announced: Arc<AtomicU64>,
}

impl Arrival {
    /// Nobody has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last thing a process does before the operation it is expected to wait in.
    pub fn announce(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.announced.fetch_add(1, Ordering::Release);
    }

    /// Returns when the process has announced itself and waits. Asked by the thread of the law,
    /// outside any process.
    pub fn until_blocked(&self) {
        self.until_blocked_again(1);
    }

    /// The same for a process that announces itself again and again: for its `nth` time, from 1.
    pub fn until_blocked_again(&self, nth: u64) {
        while self.announced.load(Ordering::Acquire) < nth {
            settle();
        }
        let thread = self.thread.load(Ordering::Relaxed);
        if thread == this_thread() {
            return;
        }
        let mut asleep = 0;
        while asleep < 3 {
            asleep = if sleeps(thread) { asleep + 1 } else { 0 };
            thread::yield_now();
        }
    }
}

/// Lets every other process run for a while. No law needs it to go far: it chooses which of two
/// orders is likely.
pub fn settle() {
    #[cfg(feature = "coroutines")]
    csp::spawn(pass().on(csp::Backend::Coroutine)).join();
    thread::yield_now();
}

#[cfg(feature = "coroutines")]
#[csp::process]
fn pass() {}

#[cfg(target_os = "linux")]
fn this_thread() -> u64 {
    let link = std::fs::read_link("/proc/thread-self").expect("/proc");
    link.file_name()
        .and_then(|number| number.to_str())
        .and_then(|number| number.parse().ok())
        .expect("PID/task/NUMBER")
}

#[cfg(target_os = "linux")]
fn sleeps(thread: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else {
        return true; // it has ended: what it did instead of waiting is for the law to find out
    };
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state == Some('S')
}

#[cfg(not(target_os = "linux"))]
fn this_thread() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    thread::current().id().hash(&mut hasher);
    hasher.finish()
}

#[cfg(not(target_os = "linux"))]
fn sleeps(_thread: u64) -> bool {
    thread::sleep(std::time::Duration::from_millis(10));
    true
}
