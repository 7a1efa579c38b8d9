//! Where the processes of a law run.

use super::kinds::{Futures, Kinds};
use super::random::rounds;
use csp::{Backend, Process};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The backend of one run of a law. A clone shares the turn of `mixed` and goes with a process that
/// starts others.
#[derive(Clone, Debug)]
pub struct Placement {
    backends: &'static [Backend],
    kinds: Kinds,
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

    /// Every process in an OS process of its own.
    pub fn os_processes() -> Self {
        Self::on(&[Backend::Subprocess])
    }

    /// OS process, coroutine and thread by turns.
    pub fn all_mixed() -> Self {
        Self::on(&[Backend::Subprocess, Backend::Coroutine, Backend::Thread])
    }

    /// Every process an `async fn`, on a coroutine's host.
    pub fn async_coroutines() -> Self {
        Self::coroutines().with(Futures::All)
    }

    /// Every process an `async fn`, on a thread of its own.
    pub fn async_threads() -> Self {
        Self::threads().with(Futures::All)
    }

    /// Every other process an `async fn`; two on coroutines, two on threads, and so on.
    pub fn async_mixed() -> Self {
        Self::on(&[Backend::Coroutine, Backend::Coroutine, Backend::Thread, Backend::Thread])
            .with(Futures::Half)
    }

    fn with(mut self, futures: Futures) -> Self {
        self.kinds = Kinds::new(futures);
        self
    }

    fn on(backends: &'static [Backend]) -> Self {
        let (kinds, placed, note) = <_>::default();
        Self { backends, kinds, placed, note }
    }

    /// What this thread makes from here on is of the kinds of this law: for a thread that the law has not begun on.
    pub fn enter(&self) {
        self.kinds.enter();
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Puts a process on its backend.
    pub fn place<A, R>(&self, process: Process<A, R>) -> Process<A, R>
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        // What a process of the law makes, on whatever thread, is of its kinds.
        self.kinds.enter();
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

    /// How many processes a law has: coroutines are cheap, a thread is not, an OS process less so.
    pub fn many(&self, coroutines: usize, threads: usize) -> usize {
        match (self.has_os_processes(), self.has_threads()) {
            (true, _) => threads.min(24),
            (_, true) => threads,
            _ => coroutines,
        }
    }

    /// How many rounds a law of chance runs: so many, or with `CSP_ROUNDS` as many as that says; fewer where each starts
    /// OS processes.
    pub fn rounds(&self, usual: u64) -> u64 {
        rounds(if self.has_os_processes() { usual.div_ceil(10) } else { usual })
    }

    /// Whether some processes run on threads.
    pub fn has_threads(&self) -> bool {
        self.backends.contains(&Backend::Thread)
    }

    /// Whether some processes are OS processes.
    pub fn has_os_processes(&self) -> bool {
        self.backends.contains(&Backend::Subprocess)
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

/// What a program runs its processes on: coroutines, unless it was started with `thread` or `subprocess`.
pub fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        Some("subprocess") => Backend::Subprocess,
        _ => Backend::Coroutine,
    }
}

/// The process that it goes to places others by turns of its own.
impl Serialize for Placement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let has = |backend| self.backends.contains(&backend);
        [has(Backend::Subprocess), has(Backend::Coroutine), has(Backend::Thread)]
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Placement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match <[bool; 3]>::deserialize(deserializer)? {
            [true, false, false] => Self::os_processes(),
            [true, ..] => Self::all_mixed(),
            [_, true, true] => Self::mixed(),
            [_, true, _] => Self::coroutines(),
            _ => Self::threads(),
        })
    }
}
