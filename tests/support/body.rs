//! Processes made of closures, for laws that are clearer with their processes in place.

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

/// Runs `body` as an `async` process, the twin of [`run`].
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
    /// Starts `body` as a process on the next backend.
    pub fn spawn<R: Send + 'static>(
        &self,
        body: impl FnOnce() -> R + Send + 'static,
    ) -> Spawned<R> {
        self.start(run(body))
    }

    /// Starts a process on the next backend.
    pub fn start<A, R>(&self, process: Process<A, R>) -> Spawned<R>
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        spawn(self.place(process))
    }
}
