//! A word that several processes see, and waiting on it. Not with `FUTEX_PRIVATE_FLAG`, which is for the threads of one.
//! Under `loom` a word has a lock and a condition, which keep what the futex promises.

#[cfg(loom)]
pub(crate) use self::model::{Word, give_way};
#[cfg(not(loom))]
pub(crate) use self::os::{Word, give_way};

#[cfg(not(loom))]
mod os {
    use std::ops::Deref;
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    use rustix::thread::futex::{self, Flags, Timespec};

    #[derive(Default)]
    #[repr(transparent)]
    pub(crate) struct Word(AtomicU32);

    impl Word {
        /// Sleeps while the word is `expected`, until woken or the deadline; may also wake for nothing.
        pub(crate) fn wait(&self, expected: u32, deadline: Option<Instant>) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            // It fails if the word has changed, the time is up or a signal has come: each is a reason to look again.
            let _ = futex::wait(&self.0, Flags::empty(), expected, left.as_ref());
        }

        pub(crate) fn wake(&self) {
            let _ = futex::wake(&self.0, Flags::empty(), 1);
        }
    }

    impl Deref for Word {
        type Target = AtomicU32;

        fn deref(&self) -> &AtomicU32 {
            &self.0
        }
    }

    /// Lets whoever wants this core have it.
    pub(crate) fn give_way() {
        rustix::thread::sched_yield();
    }
}

#[cfg(loom)]
mod model {
    use std::ops::Deref;
    use std::time::Instant;

    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{Condvar, Mutex};

    #[derive(Default)]
    pub(crate) struct Word {
        word: AtomicU32,
        wakes: Mutex<u32>,
        condition: Condvar,
    }

    impl Word {
        pub(crate) fn wait(&self, expected: u32, _deadline: Option<Instant>) {
            let mut wakes = self.wakes.lock().expect("not poisoned");
            if self.word.load(Ordering::Relaxed) != expected {
                return;
            }
            let before = *wakes;
            while *wakes == before {
                wakes = self.condition.wait(wakes).expect("not poisoned");
            }
        }

        pub(crate) fn wake(&self) {
            *self.wakes.lock().expect("not poisoned") += 1;
            self.condition.notify_all();
        }
    }

    impl Deref for Word {
        type Target = AtomicU32;

        fn deref(&self) -> &AtomicU32 {
            &self.word
        }
    }

    pub(crate) fn give_way() {
        loom::thread::yield_now();
    }
}
