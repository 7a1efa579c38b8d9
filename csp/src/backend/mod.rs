//! What processes run on. Features are read here and nowhere else; a backend is a folder.

#[cfg(all(feature = "coroutines", not(loom)))]
mod coroutines;
mod futures;
pub(crate) mod others;
// An engine of the coroutines, for targets that it knows; elsewhere an empty one stands in.
#[cfg(feature = "compute")]
mod rayon;
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
// OS processes, where the target is known to them; elsewhere an empty one stands in.
#[cfg(all(feature = "subprocess", target_os = "linux"))]
pub(crate) mod subprocess;
#[cfg(not(all(feature = "subprocess", target_os = "linux")))]
#[path = "subprocess/absent.rs"]
pub(crate) mod subprocess;
// What channels know of them; elsewhere an empty one stands in.
#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
pub(crate) use self::subprocess::away;
#[cfg(not(all(feature = "subprocess", target_os = "linux", not(loom))))]
#[path = "subprocess/nowhere.rs"]
pub(crate) mod away;
pub(crate) use self::subprocess::waves;
// What shared buffers are made of; elsewhere ordinary memory.
#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
pub(crate) use self::subprocess::memory;
#[cfg(feature = "serde")]
#[path = "subprocess/from_bytes.rs"]
pub(crate) mod from_bytes;
#[cfg(not(all(feature = "subprocess", target_os = "linux", not(loom))))]
#[path = "subprocess/ordinary.rs"]
pub(crate) mod memory;
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
mod threads;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::blocked::Blocked;
use crate::busy::Turn;
use crate::park::{self, Observer};
use crate::pool::Job;
use crate::process::Backend;
use crate::process::job::Work;
use crate::termination::Poison;

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
    #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
    Backend::Subprocess,
];

/// Starts all processes of `work`.
pub(crate) fn start(work: Arc<dyn Work>) {
    if work.count() == 0 {
        return;
    }
    crate::watch::start();
    let wanted = work.options().on().filter(|wanted| COMPILED_IN.contains(wanted));
    match wanted.unwrap_or(COMPILED_IN[0]) {
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine if work.futures().is_some() => futures::start(work),
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

/// Has CPU work done by another thread.
pub(crate) fn compute(job: Job<'static>) -> std::io::Result<()> {
    #[cfg(feature = "compute")]
    return rayon::run(job);
    #[cfg(not(feature = "compute"))]
    return crate::pool::run(job);
}

/// One thread asks at a time, and who waits for that still answers.
fn ask() -> MutexGuard<'static, ()> {
    static ASKING: Mutex<()> = Mutex::new(());
    loop {
        match ASKING.try_lock() {
            Ok(asking) => return asking,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                #[cfg(all(feature = "coroutines", not(loom)))]
                coroutines::answer_meanwhile();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Shows all processes that there are, some after the others; gives the observer back.
pub(crate) fn survey<O: Observer + Send + 'static>(mut observer: O) -> O {
    let _asking = ask();
    park::plain::all().for_each(|thread| thread.show(&mut observer));
    #[cfg(all(feature = "coroutines", not(loom)))]
    let observer = coroutines::survey(observer);
    observer
}

/// Tells of each scheduler, by address, whose turn it is, and the path of that process.
pub(crate) fn turns(tell: &mut dyn FnMut(usize, Turn, &str)) {
    #[cfg(all(feature = "coroutines", not(loom)))]
    coroutines::turns(tell);
    #[cfg(not(all(feature = "coroutines", not(loom))))]
    let _ = tell;
}

/// Threads and schedulers that stand still: what their processes wait for can't change.
pub(crate) struct Frozen {
    threads: Vec<park::plain::Held>,
    #[cfg(all(feature = "coroutines", not(loom)))]
    schedulers: coroutines::Frozen,
    _asking: MutexGuard<'static, ()>,
}

/// Has these stand still, all at once. None: one of them does not.
pub(crate) fn freeze(agents: &HashSet<usize>) -> Option<Frozen> {
    let asking = ask();
    let threads = park::plain::all().filter(|thread| agents.contains(&thread.agent()));
    Some(Frozen {
        threads: threads.collect(),
        #[cfg(all(feature = "coroutines", not(loom)))]
        schedulers: coroutines::freeze(agents)?,
        _asking: asking,
    })
}

impl Frozen {
    /// Shows their processes; gives the observer back.
    pub(crate) fn show<O: Observer + Send + 'static>(&self, mut observer: O) -> O {
        self.threads.iter().for_each(|thread| thread.show(&mut observer));
        #[cfg(all(feature = "coroutines", not(loom)))]
        let observer = self.schedulers.show(observer);
        observer
    }

    /// Whether all these processes are blocked, and none has been woken since it was shown.
    pub(crate) fn are_still_blocked(&self, contexts: &Arc<HashSet<usize>>) -> bool {
        let threads = self.threads.iter().filter(|thread| {
            contexts.contains(&thread.context())
                && thread.why().is_some_and(|(_, deadline)| deadline.is_none())
        });
        let blocked = threads.count();
        #[cfg(all(feature = "coroutines", not(loom)))]
        let blocked = blocked + self.schedulers.still_blocked(contexts);
        blocked == contexts.len()
    }

    /// Ends the waits of these processes for good; the joins among them only if told to.
    pub(crate) fn break_off(&self, contexts: &Arc<HashSet<usize>>, joins: bool, poison: &Poison) {
        for thread in &self.threads {
            if contexts.contains(&thread.context())
                && let Some((why, _)) = thread.why()
            {
                break_off(why, joins, poison);
            }
        }
        #[cfg(all(feature = "coroutines", not(loom)))]
        self.schedulers.break_off(contexts, joins, poison);
    }
}

fn break_off(why: &dyn Blocked, joins: bool, poison: &Poison) {
    why.wants(&mut |want| {
        if let Some(object) = want.object
            && want.operation.can_be_broken_off(joins)
        {
            object.break_off(poison);
        }
    });
}
