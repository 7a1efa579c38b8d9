//! A future on a thread of its own, which is its host.
#![allow(unsafe_code)]

use std::panic::Location;
use std::sync::Arc;

use super::host::Host;
use crate::process::work::{Work, as_process};
use crate::wait::blocked::{Blocked, Want};
use crate::wait::park;

/// Runs one process of `work`, which is a future, on this thread.
pub(in crate::backend) fn run_alone(work: &Arc<dyn Work>, index: usize) {
    as_process(work, index, || {
        let context = park::current();
        let host = Host::take();
        let batch = host.add(work, index, 1);
        // SAFETY: the batch is in the list until its process is over.
        let head = unsafe { batch.as_ref() }.begin();
        host.live.set(1);
        host.begin(context, head);
        host.run(context, &Alone(host));
        host.give_back();
    });
}

/// A host with one process. Observers see the wait of that process.
struct Alone(&'static Host);

impl Alone {
    /// Shows the process. It is called while the thread of the host sleeps.
    fn look<T>(&self, look: impl FnOnce(&dyn Blocked) -> T) -> Option<T> {
        self.0.live().next().map(|head| look(head))
    }
}

impl Blocked for Alone {
    fn place(&self) -> &'static Location<'static> {
        self.look(|head| head.place()).unwrap_or(Location::caller())
    }

    fn wants(&self, tell: &mut dyn FnMut(Want<'_>)) {
        self.look(|head| head.wants(tell));
    }

    fn chooses(&self) -> bool {
        self.look(|head| head.chooses()).unwrap_or(false)
    }
}
