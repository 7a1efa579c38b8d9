//! Finds out that a process waits in a certain operation. This is an event, so no test has to sleep and
//! hope.
//!
//! A process announces its next operation. It waits there once it can't be running:
//! * A coroutine of the asking thread waits, because the asker runs, and after the announcement only that
//!   operation suspends the coroutine.
//! * A process in another OS process waits once a thread there has seen it asleep.
//! * A process on another thread waits once the system shows that thread asleep. After the announcement
//!   it sleeps elsewhere only for moments (a lock of the allocator). So it has to be seen asleep
//!   several times in a row.
//!
//! If the system does not tell (no `/proc`), a pause replaces the event. Then the laws about order are only
//! as good as the pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Announces that a process is about to wait, and finds out that it waits.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    thread: Arc<AtomicU64>,
    announced: Arc<AtomicU64>,
    #[cfg(feature = "subprocess")]
    far: far::Far,
}

impl Arrival {
    /// Makes one at which no process has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces the next operation. A process calls it last before the operation in which it is expected to wait.
    pub fn announce(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
        let _turn = self.announced.fetch_add(1, Ordering::Release) + 1;
        #[cfg(feature = "subprocess")]
        self.far.announce(this_thread(), _turn);
    }

    /// Returns the number of the thread of the process that has announced itself.
    pub fn thread(&self) -> u64 {
        self.thread.load(Ordering::Relaxed)
    }

    /// Returns when the process has announced itself and waits. The thread of the law calls it,
    /// outside any process.
    pub fn until_blocked(&self) {
        self.until_blocked_again(1);
    }

    /// Does the same for a process that announces itself again and again. It waits for the `nth` time, from 1.
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
    //! A process in another OS process has a thread beside it, which sees it sleep and writes that to a channel. The offer that
    //! the process made before it slept takes the same way, and so arrives first.

    use std::sync::{Arc, OnceLock};

    use csp::{Backend, Channel, Reader, Writer, process};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Arrival, until_asleep};

    #[derive(Clone, Debug, Default)]
    pub(super) struct Far {
        /// The channel, in the OS process in which the `Arrival` was made.
        heard: Arc<OnceLock<(Channel<u64>, Reader<u64>)>>,
        /// The writer, in the OS process to which the `Arrival` was sent.
        says: Option<Writer<u64>>,
    }

    /// The room of the channel. No law announces more, so no announcement waits.
    const ROOM: usize = 100_000;

    #[process]
    fn watches(thread: u64, turn: u64, says: Writer<u64>) {
        until_asleep(thread);
        // If no reader is left, no law asks.
        let _ = says.write(turn);
    }

    impl Far {
        pub(super) fn announce(&self, thread: u64, turn: u64) {
            if let Some(says) = &self.says {
                let _ = csp::spawn(watches(thread, turn, says.clone()).on(Backend::Thread));
            }
        }

        /// Returns true if the process is in another OS process, and then only after it waits for the `nth` time.
        pub(super) fn until_blocked(&self, nth: u64) -> bool {
            let Some((_, heard)) = self.heard.get() else { return false };
            // If the channel has ended, the process has ended too.
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

/// Lets every other process run for a while. No law needs it to go far. It only makes one of two
/// orders likely.
pub fn settle() {
    #[cfg(feature = "coroutines")]
    csp::spawn(pass().on(csp::Backend::Coroutine)).join();
    thread::yield_now();
}

/// Does the same in a process that is a future.
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
        return true; // it has ended instead of waiting, and the law finds out what it did
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
