//! Knowing that a process waits in a certain operation: an event, where others would sleep and
//! hope.
//!
//! A process announces its next operation; then it waits there when it cannot be running:
//! * a coroutine of the asking thread, because the asker runs, and after the announcement only that
//!   operation suspends it;
//! * a process in another OS process, once somebody there has seen that;
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
    #[cfg(feature = "subprocess")]
    far: far::Far,
}

impl Arrival {
    /// Nobody has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// The last thing a process does before the operation it is expected to wait in.
    pub fn announce(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
        let _turn = self.announced.fetch_add(1, Ordering::Release) + 1;
        #[cfg(feature = "subprocess")]
        self.far.announce(this_thread(), _turn);
    }

    /// Returns when the process has announced itself and waits. Asked by the thread of the law,
    /// outside any process.
    pub fn until_blocked(&self) {
        self.until_blocked_again(1);
    }

    /// The same for a process that announces itself again and again: for its `nth` time, from 1.
    pub fn until_blocked_again(&self, nth: u64) {
        while self.announced.load(Ordering::Acquire) < nth {
            #[cfg(feature = "subprocess")]
            if self.far.until_blocked(nth) {
                return;
            }
            settle();
        }
        let thread = self.thread.load(Ordering::Relaxed);
        if thread != this_thread() {
            until_asleep(thread);
        }
    }
}

fn until_asleep(thread: u64) {
    let mut asleep = 0;
    while asleep < 3 {
        asleep = if sleeps(thread) { asleep + 1 } else { 0 };
        thread::yield_now();
    }
}

#[cfg(feature = "subprocess")]
mod far {
    //! A process in another OS process has somebody beside it who sees it sleep, and writes so to a channel. What it
    //! offered before it slept is on the same way, and so ahead of that.

    use std::sync::{Arc, OnceLock};

    use csp::{Backend, Channel, Reader, Writer, process};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Arrival, until_asleep};

    #[derive(Clone, Debug, Default)]
    pub(super) struct Far {
        /// Where it was made.
        heard: Arc<OnceLock<(Channel<u64>, Reader<u64>)>>,
        /// Where it was sent to.
        says: Option<Writer<u64>>,
    }

    /// More than any law announces: nobody waits to say so.
    const ROOM: usize = 100_000;

    #[process]
    fn watches(thread: u64, turn: u64, says: Writer<u64>) {
        until_asleep(thread);
        // If nobody listens any more, nobody asks.
        let _ = says.write(turn);
    }

    impl Far {
        pub(super) fn announce(&self, thread: u64, turn: u64) {
            if let Some(says) = &self.says {
                let _ = csp::spawn(watches(thread, turn, says.clone()).on(Backend::Thread));
            }
        }

        /// Whether the process is elsewhere; then it waits for the `nth` time.
        pub(super) fn until_blocked(&self, nth: u64) -> bool {
            let Some((_, heard)) = self.heard.get() else { return false };
            // If the channel has ended so has the process.
            while heard.read().is_ok_and(|turn| turn < nth) {}
            true
        }
    }

    impl Serialize for Arrival {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let made = || {
                let channel = Channel::buffered(ROOM);
                let reader = channel.reader();
                (channel, reader)
            };
            let writer = match &self.far.says {
                Some(says) => says.clone(),
                None => self.far.heard.get_or_init(made).0.writer(),
            };
            writer.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Arrival {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let says = Some(Writer::deserialize(deserializer)?);
            Ok(Self { far: Far { heard: Arc::default(), says }, ..Self::default() })
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

/// The same in a process that is a future.
pub async fn settle_async() {
    #[cfg(feature = "coroutines")]
    csp::spawn(pass().on(csp::Backend::Coroutine)).join_async().await;
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
