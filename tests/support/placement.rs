//! Where the processes of a law run.

use csp::{Backend, Process};
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The backend of one run of a law. A clone shares the turn of `mixed` and goes with a process that
/// starts others.
#[derive(Clone, Debug)]
pub struct Placement {
    backends: &'static [Backend],
    placed: Arc<AtomicUsize>,
    note: Arc<Mutex<String>>,
}

impl Placement {
    /// Every process on a coroutine.
    pub fn coroutines() -> Self {
        Self::on(&[Backend::Coroutine])
    }

    /// Every process on a thread of its own.
    pub fn threads() -> Self {
        Self::on(&[Backend::Thread])
    }

    /// Coroutine and thread by turns, in the order in which processes are placed.
    pub fn mixed() -> Self {
        Self::on(&[Backend::Coroutine, Backend::Thread])
    }

    fn on(backends: &'static [Backend]) -> Self {
        Self { backends, placed: Arc::default(), note: Arc::default() }
    }

    /// Puts a process on its backend.
    pub fn place<A, R>(&self, process: Process<A, R>) -> Process<A, R>
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        let turn = self.placed.fetch_add(1, Ordering::Relaxed);
        process.on(self.backends[turn % self.backends.len()])
    }

    /// `count * process`, each replica on its own backend.
    pub fn replicas<A, R>(&self, count: usize, process: Process<A, R>) -> Vec<Process<A, R>>
    where
        A: Clone + Send + 'static,
        R: Send + 'static,
    {
        (count * process).into_iter().map(|replica| self.place(replica)).collect()
    }

    /// How many processes a law has: coroutines are cheap, a thread is not.
    pub fn many(&self, coroutines: usize, threads: usize) -> usize {
        if self.has_threads() { threads } else { coroutines }
    }

    /// Whether some processes run on threads.
    pub fn has_threads(&self) -> bool {
        self.backends.contains(&Backend::Thread)
    }

    /// What the watchdog prints if the law hangs from here on: a seed, a round.
    pub fn note(&self, note: impl Display) {
        *self.note.lock().unwrap() = note.to_string();
    }

    pub(crate) fn state(&self) -> String {
        let note = self.note.try_lock().map(|note| note.clone()).unwrap_or_default();
        let placed = self.placed.load(Ordering::Relaxed);
        format!(
            "processes placed so far: {placed}, by turns on {:?}; note: {note:?}",
            self.backends
        )
    }
}

/// What a program runs its processes on: coroutines, unless it was started with `thread`.
pub fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        _ => Backend::Coroutine,
    }
}
