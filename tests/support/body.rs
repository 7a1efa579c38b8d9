//! A process out of a closure, for laws that are clearer with their processes in place.

use crate::Placement;
use csp::{Spawned, process, spawn};

/// Runs `body`.
#[process]
pub fn run<R, F>(body: F) -> R
where
    R: Send + 'static,
    F: FnOnce() -> R + Send + 'static,
{
    body()
}

impl Placement {
    /// Starts `body` as a process on the backend whose turn it is.
    pub fn spawn<R: Send + 'static>(
        &self,
        body: impl FnOnce() -> R + Send + 'static,
    ) -> Spawned<R> {
        spawn(self.place(run(body)))
    }
}
