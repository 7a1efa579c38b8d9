//! A word that several processes see, and waiting on it. It does not use `FUTEX_PRIVATE_FLAG`,
//! which is for the threads of one process. Under `loom` a word has a lock and a condition, which
//! keep the futex's promises.

#[cfg(loom)]
pub(in crate::backend::subprocess) use self::model::{FutexWord, give_way};
#[cfg(not(loom))]
pub(in crate::backend::subprocess) use self::os::{FutexWord, give_way};

#[cfg(not(loom))]
mod os {
    use std::ops::Deref;
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    use rustix::thread::futex::{self, Flags, Timespec};

    #[derive(Default)]
    #[repr(transparent)]
    pub(in crate::backend::subprocess) struct FutexWord(AtomicU32);

    impl FutexWord {
        /// Sleeps while the word is `expected`, until it is woken or the deadline comes. It may
        /// also wake for no reason.
        pub(in crate::backend::subprocess) fn wait(
            &self,
            expected: u32,
            deadline: Option<Instant>,
        ) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            // It fails if the word has changed, the time is up or a signal has come. In each case
            // the caller looks again.
            let _ = futex::wait(&self.0, Flags::empty(), expected, left.as_ref());
        }

        pub(in crate::backend::subprocess) fn wake(&self) {
            let _ = futex::wake(&self.0, Flags::empty(), 1);
        }
    }

    impl Deref for FutexWord {
        type Target = AtomicU32;

        fn deref(&self) -> &AtomicU32 {
            &self.0
        }
    }

    /// Gives this core to any thread that wants it.
    pub(in crate::backend::subprocess) fn give_way() {
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
    pub(in crate::backend::subprocess) struct FutexWord {
        word: AtomicU32,
        wakes: Mutex<u32>,
        condition: Condvar,
    }

    impl FutexWord {
        pub(in crate::backend::subprocess) fn wait(
            &self,
            expected: u32,
            _deadline: Option<Instant>,
        ) {
            let mut wakes = self.wakes.lock().expect("not poisoned");
            if self.word.load(Ordering::Relaxed) != expected {
                return;
            }
            let before = *wakes;
            while *wakes == before {
                wakes = self.condition.wait(wakes).expect("not poisoned");
            }
        }

        pub(in crate::backend::subprocess) fn wake(&self) {
            *self.wakes.lock().expect("not poisoned") += 1;
            self.condition.notify_all();
        }
    }

    impl Deref for FutexWord {
        type Target = AtomicU32;

        fn deref(&self) -> &AtomicU32 {
            &self.word
        }
    }

    pub(in crate::backend::subprocess) fn give_way() {
        loom::thread::yield_now();
    }
}
