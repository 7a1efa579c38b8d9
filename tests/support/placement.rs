//! The backends on which the processes of a law run.

use super::kinds::{Futures, Kinds};
use super::random::rounds;
use csp::{Backend, Process};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The backend of one run of a law. A clone shares the turns of `mixed`, and travels with a process that
/// starts others.
#[derive(Clone, Debug)]
pub struct Placement {
    backends: &'static [Backend],
    /// OS processes are linked by streams.
    by_stream: bool,
    kinds: Kinds,
    placed: Arc<AtomicUsize>,
    note: Arc<Mutex<String>>,
}

impl Placement {
    /// Runs every process on a coroutine.
    pub fn coroutines() -> Self {
        Self::on(&[Backend::Coroutine])
    }

    /// Deals the processes out to the schedulers of all cores.
    pub fn cores() -> Self {
        Self::on(&[Backend::Cores])
    }

    /// Leaves the processes to the schedulers, which may take them from each other.
    pub fn left_to_cores() -> Self {
        Self::on(&[])
    }

    /// Runs every process on a thread of its own.
    pub fn threads() -> Self {
        Self::on(&[Backend::Thread])
    }

    /// Uses coroutines and threads by turns, in the order in which processes are placed.
    pub fn mixed() -> Self {
        Self::on(&[Backend::Coroutine, Backend::Thread])
    }

    /// Runs every process in an OS process of its own.
    pub fn os_processes() -> Self {
        Self::on(&[Backend::Subprocess])
    }

    /// Runs every process in an OS process of its own, linked by a stream as one on another host would be.
    pub fn streams() -> Self {
        Self { by_stream: true, ..Self::os_processes() }
    }

    /// Returns whether a thread of each OS process frees what others have allocated, because it alone writes to the streams.
    pub fn has_streams(&self) -> bool {
        self.by_stream
    }

    /// Uses OS processes, coroutines and threads by turns.
    pub fn all_mixed() -> Self {
        Self::on(&[Backend::Subprocess, Backend::Coroutine, Backend::Thread])
    }

    /// Runs every process as an `async fn`, on a coroutine's host.
    pub fn async_coroutines() -> Self {
        Self::coroutines().with(Futures::All)
    }

    /// Runs every process as an `async fn`, on the hosts of all cores.
    pub fn async_cores() -> Self {
        Self::cores().with(Futures::All)
    }

    /// Runs every process as an `async fn`, on a thread of its own.
    pub fn async_threads() -> Self {
        Self::threads().with(Futures::All)
    }

    /// Runs every other process as an `async fn`: two on coroutines, two on threads, and so on.
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
        Self { backends, by_stream: false, kinds, placed, note }
    }

    /// Applies the kinds of this law to all processes that this thread makes from now on. A thread on which the law has not begun
    /// calls it.
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
        // The kinds of the law apply to all processes that a process of the law makes, on any thread.
        self.kinds.enter();
        let turn = self.placed.fetch_add(1, Ordering::Relaxed);
        match self.backends {
            [] => csp::__private::on_none(process),
            all => self.linked(process.on(all[turn % all.len()])),
        }
    }

    #[cfg(feature = "hosts")]
    fn linked<A, R>(&self, process: Process<A, R>) -> Process<A, R> {
        if self.by_stream { csp::__private::by_stream(process) } else { process }
    }

    #[cfg(not(feature = "hosts"))]
    fn linked<A, R>(&self, process: Process<A, R>) -> Process<A, R> {
        process
    }

    /// Makes `count` replicas of `process`, each on its own backend.
    pub fn replicas<A, R>(&self, count: usize, process: Process<A, R>) -> Vec<Process<A, R>>
    where
        A: Clone + Send + 'static,
        R: Send + 'static,
    {
        (count * process).into_iter().map(|replica| self.place(replica)).collect()
    }

    /// Returns how many processes a law has. Coroutines are cheap, a thread is dearer, and an OS process is dearer still.
    pub fn many(&self, coroutines: usize, threads: usize) -> usize {
        match (self.has_os_processes(), self.has_threads()) {
            (true, _) => threads.min(24),
            (_, true) => threads,
            _ => coroutines,
        }
    }

    /// Returns how many rounds a random law runs: `usual`, or the number in `CSP_ROUNDS`. It is fewer if each round starts
    /// OS processes.
    pub fn rounds(&self, usual: u64) -> u64 {
        rounds(if self.has_os_processes() { usual.div_ceil(10) } else { usual })
    }

    /// Returns true if some processes run on threads.
    pub fn has_threads(&self) -> bool {
        self.backends.contains(&Backend::Thread)
    }

    /// Returns true if some processes are OS processes.
    pub fn has_os_processes(&self) -> bool {
        self.backends.contains(&Backend::Subprocess)
    }

    /// Returns true if processes run on the schedulers of several cores.
    pub fn has_cores(&self) -> bool {
        self.backends.is_empty() || self.backends.contains(&Backend::Cores)
    }

    /// Sets the note that the watchdog prints if the law hangs from now on: a seed, a round.
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

/// Returns the backend of a program's processes: coroutines, unless it was started with `thread` or `subprocess`.
pub fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        Some("subprocess") => Backend::Subprocess,
        _ => Backend::Coroutine,
    }
}

/// Sends the placement to a process, which then places others by turns of its own.
impl Serialize for Placement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let has = |backend| self.backends.contains(&backend);
        let all = [Backend::Subprocess, Backend::Coroutine, Backend::Thread, Backend::Cores];
        (all.map(has), self.by_stream).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Placement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (backends, by_stream) = <([bool; 4], bool)>::deserialize(deserializer)?;
        Ok(match backends {
            _ if by_stream => Self::streams(),
            [.., true] => Self::cores(),
            [true, false, false, _] => Self::os_processes(),
            [true, ..] => Self::all_mixed(),
            [_, true, true, _] => Self::mixed(),
            [_, true, ..] => Self::coroutines(),
            [_, _, true, _] => Self::threads(),
            _ => Self::left_to_cores(),
        })
    }
}
