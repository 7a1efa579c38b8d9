//! Floor 5. The backends: what processes run on. Each backend is a folder. Only this file reads the features.

#[cfg(all(feature = "coroutines", not(loom)))]
mod coroutines;
mod futures;
pub(super) mod memory;
pub(super) mod offload;
#[cfg(not(all(feature = "subprocess", target_os = "linux")))]
#[path = "subprocess/absent.rs"]
pub(super) mod subprocess;
// OS processes, if the target supports them. Otherwise an empty module stands in.
#[cfg(all(feature = "subprocess", target_os = "linux"))]
pub(super) mod subprocess;
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
mod threads;

use std::sync::Arc;

use crate::process::Backend;
use crate::process::work::Work;
use crate::wait::thread::pool::Job;

#[cfg(not(any(feature = "coroutines", feature = "threads")))]
compile_error!(
    "csp needs something to run processes on: enable the feature `coroutines` (on by default) or `threads`"
);

/// The backends that are compiled in. A process that asks for nothing else runs on the first.
pub(crate) const COMPILED_IN: &[Backend] = &[
    #[cfg(all(feature = "coroutines", not(loom)))]
    Backend::Coroutine,
    #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
    Backend::Thread,
    #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
    Backend::Subprocess,
];

/// Starts all processes of `work`.
pub(crate) fn start(work: Arc<dyn Work>) {
    let job: &dyn Work = &*work;
    if job.count() == 0 {
        return;
    }
    crate::watch::start();
    let wanted = job.options().on().filter(|wanted| COMPILED_IN.contains(wanted));
    match wanted.unwrap_or(COMPILED_IN[0]) {
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine if job.futures().is_some() => futures::start(work),
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine => coroutines::start(work),
        #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
        Backend::Thread => threads::start(work),
        #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
        Backend::Subprocess => subprocess::start(work),
        #[allow(unreachable_patterns, reason = "which are left depends on the features")]
        _ => unreachable!("only what is compiled in is chosen"),
    }
}

/// Has another thread do CPU work.
pub(crate) fn compute(job: Job<'static>) -> std::io::Result<()> {
    #[cfg(feature = "compute")]
    return offload::rayon::run(job);
    #[cfg(not(feature = "compute"))]
    return crate::wait::thread::pool::run(job);
}
