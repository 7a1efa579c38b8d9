//! Ordinary Rust functions as communicating sequential processes.
//!
//! A function with [`#[process]`](macro@process) is a process: a value that does nothing until [`parallel!`],
//! [`sequence!`] or [`spawn`] runs it. Processes own what they work on and talk over [`Channel`]s, which are
//! any-to-any, synchronous or buffered. A process that waits for several of them at once chooses with [`alt!`] or
//! [`pri_alt!`], over inputs and outputs alike. A network ends by retirement or by poison. An end retires when it is
//! dropped. An end is poisoned by a call, or by the panic of the process that holds it. The network never silently
//! hangs on either.
//!
//! ```
//! use csp::{Channel, Reader, Writer, parallel, process};
//!
//! #[process]
//! fn producer(jobs: Writer<u64>, n: u64) -> csp::Result {
//!     for job in 0..n {
//!         jobs.write(job)?;
//!     }
//!     Ok(()) // `jobs` is dropped: this end retires
//! }
//!
//! #[process]
//! fn worker(jobs: Reader<u64>, results: Writer<u64>) -> csp::Result {
//!     loop {
//!         let job = jobs.read()?; // Err(Retired) ends it, and its ends retire in turn
//!         results.write(job * job)?;
//!     }
//! }
//!
//! #[process]
//! fn consumer(results: Reader<u64>) -> u64 {
//!     results.iter().sum()
//! }
//!
//! let (jobs, results) = (Channel::new(), Channel::new());
//! let (_, _, sum) = parallel!(
//!     producer(jobs.writer(), 100),
//!     10 * worker(jobs.reader(), results.writer()),
//!     consumer(results.reader()),
//! );
//! assert_eq!(sum, 328_350);
//! ```
//!
//! The [guide] begins with this program, and goes on to termination, choice, blocking calls, deadlocks and patterns.
//!
//! # What a process runs on
//!
//! Cargo features say which backends exist. A value or a function may choose among them ([`Process::on`]). The program
//! stays the same.
//!
//! | feature | a process is | by default |
//! |---|---|---|
//! | `coroutines` | a coroutine, scheduled by the thread that starts it | on |
//! | `cores` | (coroutines use all cores: a scheduler on each) | |
//! | `generator` | (the engine `generator` beside our own, to compare the two: `CSP_ENGINE=generator` chooses it) | |
//! | `threads` | an OS thread | |
//! | `compute` | (a pool of rayon's does the work of [`compute`](fn@compute)) | on |
//! | `net` | (sockets whose waiting processes park: `csp::net`; on Unix) | on |
//! | `futures` | (ends as streams and sinks, for tasks of tokio and other executors: [the guide](guide::with_tokio)) | |
//! | `serde` | (reports can be serialised) | |
//! | `signals` | (signals of the system come by a channel: `csp::signals`; on Unix) | |
//! | `subprocess` | an OS process, for [`#[multiprocess]`](multiprocess) functions; on Linux | |
//! | `hosts` | an OS process on another host, for the same functions: `process.at(&hosts)`; on Linux | |
//! | `address` | (programs meet on a channel: `csp::publish`, `csp::connect`; on Linux, with Rust 1.91) | |
//!
//! `#[process]` runs on coroutines if they are compiled in, else on threads. All kinds may share one channel. A `#[process] async fn`
//! has no stack. It is a future, polled by a coroutine or thread of the library's. It uses `.await` where other processes block
//! ([`read_async`](Reader::read_async), [`parallel_async!`] and so on).
//! `main`, and any thread, is a process too: it may read, write, choose and spawn.
//!
//! With the feature `cores`, the [coroutines of a program use all cores](guide::cores). A library must not enable it.
//!
//! A coroutine runs until it waits in an operation of this crate. A loop that computes without communicating, or a
//! blocking call, holds up all other coroutines of its thread. [`compute`](fn@compute) and [`io`](fn@io) avoid that.
//!
//! # What is guaranteed
//!
//! - A value is delivered to exactly one reader, or comes back to its writer in a [`WriteError`]. If an OS process is killed or a host is lost,
//!   [`WriteError::fate`] says whether a reader may have had it. Nobody reads a value twice.
//! - Readers and writers of a channel are served in the order in which they came. With the feature `cores`, [`Channel`] says what holds for readers
//!   on several cores.
//! - A choice performs exactly one of its guards, whole. The other guards leave no trace.
//! - A process ends only after every process it has spawned. [`parallel!`] returns only after all its processes have ended.
//! - Processes that wait for one another for ever are poisoned with a [report] that says which process waits for which.
//! - A panic ends the network and is raised again in the process that waits for it, with the path of the process that panicked.

// Some functions are there for one feature or one system. With all of them, no code is dead, and `ci/clippy.sh` checks that.
#![cfg_attr(
    not(all(
        feature = "compute",
        feature = "cores",
        feature = "futures",
        feature = "generator",
        feature = "net",
        feature = "signals",
        feature = "subprocess",
        target_os = "linux",
        not(loom)
    )),
    allow(dead_code)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod channel;
mod choice;
mod commit;
mod front;
pub mod guide;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(feature = "net", unix, not(loom)))]
pub mod net;
#[cfg(all(feature = "net", not(unix)))]
#[path = "net/absent.rs"]
pub mod net;
mod network;
mod process;
pub mod report;
mod stack;
mod sync;
mod system;
mod wait;
mod watch;

pub use choice::io;
pub use front::closures::{process, process_async};
#[doc(hidden)]
pub use front::private as __private;
#[cfg(all(not(loom), feature = "signals"))]
pub use front::signals::{Signal, signals};
pub use front::supervise::{GaveUp, Supervisor};
pub use front::{plug, shell};

pub use csp_macros::{io, main, multiprocess, process, test};

pub use backend::memory::SharedBuf;
pub use backend::offload::compute::{compute, compute_async};
pub use backend::offload::{io, io_async};
#[cfg(all(feature = "address", target_os = "linux", not(loom)))]
pub use backend::subprocess::address::{
    ConnectError, Connectable, Member, ProgramKey, PublishError, Published, connect, publish,
};
#[cfg(feature = "futures")]
pub use channel::awaited::{ReaderStream, WriterSink};
pub use channel::{
    BeginAsync, Channel, Extended, IntoIter, Iter, ReadAsync, Reader, Stop, StopToken, WriteAsync,
    Writer,
};
pub use choice::alternation::Alternation;
pub use choice::barrier::Barrier;
pub use choice::bucket::Bucket;
pub use choice::limited::TryIter;
pub use choice::timer::{Every, every, sleep, sleep_async, sleep_until, sleep_until_async};
pub use choice::unwritten::TryWriteError;
pub use network::results::{ErrorsInto, OneError, Results};
pub use network::set::{Members, Parallel, Sequence};
pub use network::spawn::{Spawn, Spawned, spawn};
pub use network::{Component, Current, Output, current, init, shutdown, shutdown_async};
#[cfg(feature = "hosts")]
pub use process::definition::{Hosts, HostsError};
pub use process::{AnyProcess, Backend, Erased, Failure, ParseBackendError, Process, Replicated};
pub use report::Network;
pub use report::termination::{Cause, Fate, LostHost, Poison, Result, Termination, WriteError};
#[cfg(all(feature = "cores", not(loom)))]
pub use system::cores::{CoresError, cores};
pub use watch::words::network;
