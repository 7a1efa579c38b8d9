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

use std::sync::{Arc, Once};

use crate::process::Backend;
use crate::process::work::{self, Work};
use crate::system::stderr;
use crate::wait::thread::pool::Job;

#[cfg(not(any(feature = "coroutines", feature = "threads")))]
compile_error!(
    "csp needs something to run processes on: enable the feature `coroutines` (on by default) or `threads`"
);

/// The backends that are compiled in. A process that asks for nothing else runs on the first.
pub(crate) const COMPILED_IN: &[Backend] = &[
    #[cfg(all(feature = "coroutines", not(loom)))]
    Backend::Coroutine,
    #[cfg(all(feature = "cores", not(loom)))]
    Backend::Cores,
    #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
    Backend::Thread,
    #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
    Backend::Subprocess,
];

impl Backend {
    /// Returns whether this backend is compiled in. [`Process::on`](crate::Process::on) says what a process does otherwise.
    ///
    /// ```
    /// use csp::{Backend, parallel, process};
    ///
    /// #[process]
    /// fn answer() -> u32 { 42 }
    ///
    /// for backend in [Backend::Coroutine, Backend::Thread] {
    ///     if backend.is_compiled_in() {
    ///         assert_eq!(parallel!(answer().on(backend)).0, 42);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_compiled_in(self) -> bool {
        COMPILED_IN.contains(&self)
    }
}

#[cfg(feature = "hosts")]
impl<A, R> crate::Process<A, R> {
    /// Places this process on one of the hosts, in an OS process of its own. It must be a
    /// [`#[multiprocess]`](crate::multiprocess). Other processes fail.
    ///
    /// The feature `hosts` has this, on Linux. [`Hosts`](crate::Hosts) says the rest.
    ///
    /// ```
    /// # use csp::{Hosts, multiprocess, parallel};
    /// # #[multiprocess]
    /// # fn number() -> u32 { std::process::id() }
    /// # fn main() {
    /// let hosts = Hosts::command(["env"]);
    /// let (there,) = parallel!(number().at(&hosts));
    /// assert_ne!(there, std::process::id());
    /// # }
    /// ```
    pub fn at(mut self, hosts: &crate::Hosts) -> Self {
        self.options.set_on(Backend::Subprocess);
        self.options.set().at = Some(hosts.clone());
        self
    }
}

#[cfg(feature = "hosts")]
impl<A, R> crate::Replicated<A, R> {
    /// Places each replica on one of the hosts, as [`Process::at`](crate::Process::at) does. The replicas go round the hosts.
    pub fn at(mut self, hosts: &crate::Hosts) -> Self {
        self.process = self.process.at(hosts);
        self
    }
}

/// Stands behind `on = thread`. It is the backend, or `$mistake`, which the macros hand over because they do not know the features.
#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_thread {
    ($($mistake:tt)*) => {
        $crate::Backend::Thread
    };
}
#[cfg(not(any(feature = "threads", not(feature = "coroutines"), loom)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_thread {
    ($($mistake:tt)*) => { $($mistake)* };
}

/// Stands behind `on = subprocess` and `isolated` in the same way.
#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_subprocess {
    ($($mistake:tt)*) => {
        $crate::Backend::Subprocess
    };
}
#[cfg(not(all(feature = "subprocess", target_os = "linux", not(loom))))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_subprocess {
    ($($mistake:tt)*) => { $($mistake)* };
}

/// Stands behind `on = cores` in the same way.
#[cfg(all(feature = "cores", not(loom)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_on_cores {
    ($($mistake:tt)*) => {
        $crate::Backend::Cores
    };
}
#[cfg(not(all(feature = "cores", not(loom))))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_on_cores {
    ($($mistake:tt)*) => { $($mistake)* };
}

/// Stands behind `cores = n`. It is what stands in the parentheses, or the mistake behind these.
#[cfg(all(feature = "cores", not(loom)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_cores {
    (($($what:tt)*) $($mistake:tt)*) => { $($what)* };
}
#[cfg(not(all(feature = "cores", not(loom))))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_cores {
    (($($what:tt)*) $($mistake:tt)*) => { $($mistake)* };
}

/// Has the networks of this thread use this many cores at most: those of a test. They use one unless the test asks for more.
pub(crate) fn cores_of_test(asked: Option<usize>) {
    #[cfg(all(feature = "cores", not(loom)))]
    crate::system::cores::limit_this_thread(asked.unwrap_or(1));
    let _ = asked;
}

/// Sets how many cores the program uses, if `main` says that.
///
/// # Errors
/// Returns an error if the environment asks for something impossible.
pub(crate) fn cores_of_main(asked: Option<usize>) -> Result<(), String> {
    #[cfg(all(feature = "cores", not(loom)))]
    match asked {
        Some(asked) => crate::system::cores::cores(asked),
        None => crate::system::cores::check(),
    }
    .map_err(|error| error.to_string())?;
    let _ = asked;
    Ok(())
}

/// Starts all processes of `work`.
pub(crate) fn start(work: Arc<dyn Work>) {
    let job: &dyn Work = &*work;
    if job.count() == 0 {
        return;
    }
    crate::watch::start();
    #[cfg(all(feature = "cores", not(loom)))]
    if let Err(error) = crate::system::cores::begin() {
        return refuse(&work, &error.to_string());
    }
    let chosen = match job.options().on() {
        Some(wanted) if wanted != COMPILED_IN[0] => match instead(wanted, job) {
            Ok(backend) => backend,
            Err(reason) => return refuse(&work, &reason),
        },
        _ => COMPILED_IN[0],
    };
    match chosen {
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine if job.futures().is_some() => futures::start(work),
        #[cfg(all(feature = "coroutines", not(loom)))]
        Backend::Coroutine => coroutines::start(work),
        #[cfg(all(feature = "cores", not(loom)))]
        Backend::Cores => {
            futures::welcome();
            coroutines::place(work);
        }
        #[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
        Backend::Thread => threads::start(work),
        #[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
        Backend::Subprocess => subprocess::start(work),
        #[allow(unreachable_patterns, reason = "which are left depends on the features")]
        _ => unreachable!("only what is compiled in is chosen"),
    }
}

/// Gives up all processes of `work`.
#[cold]
fn refuse(work: &Arc<dyn Work>, reason: &str) {
    (0..work.count()).for_each(|index| work::refuse(work, index, reason));
}

/// Returns the backend for processes that ask for `wanted`, or the reason why there is none.
#[inline(never)]
fn instead(wanted: Backend, job: &dyn Work) -> Result<Backend, String> {
    match wanted {
        _ if wanted.is_compiled_in() => Ok(wanted),
        // A thread stands in for a coroutine.
        Backend::Coroutine => Ok(COMPILED_IN[0]),
        Backend::Subprocess if job.options().may_run_in_place() => {
            put_in_place(job);
            Ok(COMPILED_IN[0])
        }
        Backend::Cores => Err(format!("it asks for all cores: {}", missing("cores"))),
        Backend::Thread => Err(format!("it asks for a thread: {}", missing("threads"))),
        Backend::Subprocess => Err(format!("it asks for an OS process: {}", missing("subprocess"))),
    }
}

fn missing(feature: &str) -> String {
    match feature {
        "subprocess" if !cfg!(target_os = "linux") => "csp has them on Linux only".into(),
        _ => format!("the feature `{feature}` of csp is not compiled in"),
    }
}

/// Prepares `#[multiprocess]` functions to run as those with `#[process]` do. A debug build says so, once.
fn put_in_place(job: &dyn Work) {
    static SAID: Once = Once::new();
    if let Some(grip) = job.grip() {
        grip.has_nothing();
    }
    if cfg!(debug_assertions) {
        SAID.call_once(|| {
            stderr::say(format!(
                "csp: `{}` has no OS process of its own, nor has any other `#[multiprocess]` function: {}\n",
                job.path(0),
                missing("subprocess")
            ));
        });
    }
}

/// Has another thread do CPU work.
pub(crate) fn compute(job: Job<'static>) -> std::io::Result<()> {
    #[cfg(feature = "compute")]
    return offload::rayon::run(job);
    #[cfg(not(feature = "compute"))]
    return crate::wait::thread::pool::run(job);
}
