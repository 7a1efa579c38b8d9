//! Floor 5. Processes on other hosts: how a host process is started, and what it and its starter say to each other.
//!
//! 1. The starter runs the command of the host. [`process`] is a hook ahead of `main`, as that of a child. It writes
//!    a greeting to standard output.
//! 2. The starter answers with `Hello` on standard input. From then on both are the ends of a stream link, and the
//!    host process is a node below its starter.
//! 3. For each process the starter asks the host process to start an OS process, its *worker*. A worker is a child of the host
//!    process, linked by rings, and knows nothing of all this.
//!
//! The words of both ([`words`]) go by the same link as the messages of the nodes. So the news of a worker's end comes behind all that it
//! has said.

mod greeting;
mod process;
mod progress;
mod running;
mod sending;
mod there;
mod way;
mod words;

use std::sync::Arc;

use self::there::HostedChild;
use super::boot::parent;
use crate::process::work::{self, Work};

/// Starts all processes of `work`, here or on the hosts that they ask for.
pub(crate) fn start(work: Arc<dyn Work>) {
    let Some(hosts) = work.options().at().cloned() else { return parent::start(work) };
    process::is_here();
    let first = hosts.take_turns(work.count());
    parent::start_by(&work, move |process, index, alive| {
        // Its core is one of another machine.
        drop(alive);
        match hosts.host(first.wrapping_add(index)) {
            Some(host) => {
                work::run_away(process, index, &mut HostedChild::new(process, index, host));
            }
            None => work::refuse(process, index, "it is to run on one of no hosts"),
        }
    });
}
