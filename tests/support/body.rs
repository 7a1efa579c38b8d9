//! A process out of a closure, for laws that are clearer with their processes in place.

use crate::Placement;
use csp::{Process, Spawned, process, spawn};

/// Runs `body`.
#[process]
pub fn run<R, F>(body: F) -> R
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    body()
}

/// Its twin.
#[doc(hidden)]
#[process(name = "run")]
pub async fn run_async<R, F>(body: F) -> R
where
    R: Send + 'static,
    F: AsyncFnOnce() -> R + Send + 'static,
{
    body().await
}

impl Placement {
    /// Starts `body` as a process on the backend whose turn it is.
    pub fn spawn<R: Send + 'static>(
        &self,
        body: impl FnOnce() -> R + Send + 'static,
    ) -> Spawned<R> {
        self.start(run(body))
    }

    /// Starts a process on the backend whose turn it is.
    pub fn start<A, R>(&self, process: Process<A, R>) -> Spawned<R>
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        spawn(self.place(process))
    }
}
