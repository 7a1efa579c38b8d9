//! The turn to do some work that several threads find at the same time. One of them does it, and no other waits.
//!
//! A thread that has put work somewhere takes the turn. If another thread has it, that thread looks for work once more
//! before it ends its turn. So no work is left behind, which the model below shows.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// Nobody works.
const FREE: u32 = 0;
/// A thread works.
const TAKEN: u32 = 1;
/// A thread works, and there may be work that it has not seen.
const TAKEN_AGAIN: u32 = 2;

pub(super) struct WriteTurn(AtomicU32);

impl WriteTurn {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Takes the turn. Returns false if another thread has it, which then sees the work that the caller has put out.
    #[must_use]
    pub(super) fn take(&self) -> bool {
        let next = |state| Some(if state == FREE { TAKEN } else { TAKEN_AGAIN });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) == Ok(FREE)
    }

    /// Ends the turn. Returns false if there may be more work. Then the caller has the turn still.
    #[must_use]
    pub(super) fn end(&self) -> bool {
        #[cfg(all(test, loom))]
        if loom_model::is_planted() {
            self.0.store(FREE, Ordering::Release);
            return true;
        }
        let next = |state| Some(if state == TAKEN { FREE } else { TAKEN });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, next) == Ok(TAKEN)
    }

    /// Ends the turn, though there may be more work. The caller has another thread look.
    pub(super) fn pass(&self) {
        self.0.swap(FREE, Ordering::AcqRel);
    }
}

#[cfg(all(test, loom))]
mod loom_model {
    use std::process::Command;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Returns whether this run ends a turn without a look at what others have asked for.
    pub(super) fn is_planted() -> bool {
        std::env::var_os("CSP_TURN_FORGETS").is_some()
    }

    #[derive(Default)]
    struct Work {
        put: AtomicU32,
        done: AtomicU32,
        /// A sender has left the rest to the thread of the streams.
        asked: AtomicU32,
    }

    fn work(turn: &WriteTurn, work: &Work, rounds: usize) {
        if !turn.take() {
            return;
        }
        for _ in 0..rounds {
            // The turn orders the two, and not the words themselves.
            let put = work.put.load(Ordering::Relaxed);
            work.done.store(put, Ordering::Relaxed);
            if turn.end() {
                return;
            }
        }
        turn.pass();
        work.asked.store(1, Ordering::Release);
    }

    /// Two senders put something out and work once or twice. A third one works as long as there is work. The thread of
    /// the streams works at last, if it was asked to.
    #[test]
    fn no_work_is_left_behind() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(|| {
            let shared = Arc::new((WriteTurn::new(), Work::default()));
            let send = |shared: &(WriteTurn, Work), rounds| {
                shared.1.put.fetch_add(1, Ordering::Relaxed);
                work(&shared.0, &shared.1, rounds);
            };
            let others = [1, 2].map(|rounds| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || send(&shared, rounds))
            });
            send(&shared, usize::MAX);
            for other in others {
                other.join().expect("a sender");
            }
            if shared.1.asked.load(Ordering::Acquire) == 1 {
                work(&shared.0, &shared.1, usize::MAX);
            }
            assert_eq!(shared.1.done.load(Ordering::Relaxed), 3);
        });
    }

    #[test]
    fn a_turn_that_forgets_the_others_is_found() {
        let exe = std::env::current_exe().expect("this test");
        let name = format!(
            "{}::no_work_is_left_behind",
            module_path!().split_once("::").expect("a crate").1
        );
        let run = Command::new(exe)
            .args([&name, "--exact"])
            .env("CSP_TURN_FORGETS", "1")
            .output()
            .expect("this test again");
        let ran = String::from_utf8_lossy(&run.stdout).contains("running 1 test");
        assert!(ran && !run.status.success(), "the model holds with the mistake");
    }
}
