//! What processes run on. Features are read here and nowhere else; a backend is a folder.

#[cfg(all(feature = "coroutines", not(loom)))]
mod coroutines;
// An engine of the coroutines, for targets that it knows; elsewhere an empty one stands in.
#[cfg(all(
    feature = "slab",
    not(loom),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[path = "coroutines/slab/mod.rs"]
pub(crate) mod slab;
#[cfg(not(all(
    feature = "slab",
    not(loom),
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "coroutines/no_slab.rs"]
pub(crate) mod slab;
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
mod threads;

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use crate::park::{self, Observer};
use crate::process::Backend;
use crate::process::job::Work;

#[cfg(not(any(feature = "coroutines", feature = "threads")))]
compile_error!(
    "csp needs something to run processes on: enable the feature `coroutines` (on by default) or `threads`"
);

/// Those that are compiled in; the first is what a process runs on that asks for nothing else.
pub(crate) const COMPILED_IN: &[Backend] = &[
    #[cfg(all(feature = "coroutines", not(loom)))]
    Backend::Coroutine,
    #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
    Backend::Thread,
];

/// Starts all processes of `work`.
pub(crate) fn start(work: Arc<dyn Work>) {
    if work.count() == 0 {
        return;
    }
    let wanted = work.options().on().filter(|wanted| COMPILED_IN.contains(wanted));
    match wanted.unwrap_or(COMPILED_IN[0]) {
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine => coroutines::start(work),
        #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
        Backend::Thread => threads::start(work),
        #[allow(unreachable_patterns, reason = "which are left depends on the features")]
        _ => unreachable!("only what is compiled in is chosen"),
    }
}

/// Shows all processes that there are, some after the others; gives the observer back.
pub(crate) fn survey<O: Observer + Send + 'static>(mut observer: O) -> O {
    static ASKING: Mutex<()> = Mutex::new(());
    // One thread asks at a time, and who waits for that still answers.
    let _asking = loop {
        match ASKING.try_lock() {
            Ok(asking) => break asking,
            Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                #[cfg(all(feature = "coroutines", not(loom)))]
                coroutines::answer_meanwhile();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    };
    park::plain::visit(&mut observer);
    #[cfg(all(feature = "coroutines", not(loom)))]
    let observer = coroutines::survey(observer);
    observer
}
