//! Ordinary Rust functions as communicating sequential processes.
//!
//! A function with [`#[process]`](process) is a process: a value that does nothing until [`parallel!`],
//! [`sequence!`] or [`spawn`] runs it. Processes own what they work on and talk over [`Channel`]s, which are
//! any-to-any, synchronous or buffered. A process that waits for several of them at once chooses with [`alt!`] or
//! [`pri_alt!`], over inputs and outputs alike. A network ends by retirement (an end that is dropped) or by poison
//! (an end that is poisoned, or held by a process that panics), and never silently hangs on either.
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
//! The [guide] begins with this, and goes on to termination, choice, blocking calls, deadlocks and patterns.
//!
//! # What a process runs on
//!
//! Cargo features say what there is, and a value or a function may choose ([`Process::on`]); the program is the same.
//!
//! | feature | a process is | by default |
//! |---|---|---|
//! | `coroutines` | a coroutine, scheduled by the thread that starts it | on |
//! | `slab` | the same, with stacks of the library's own making: a million may be blocked at once | on |
//! | `threads` | an OS thread | |
//! | `compute` | (what [`compute`] does is done by rayon's threads) | on |
//! | `serde` | (reports can be serialised) | |
//! | `subprocess` | an OS process, for [`#[multiprocess]`](multiprocess) functions; on Linux | |
//!
//! `#[process]` runs on coroutines where they are compiled in, else on threads. All may meet on one channel. A `#[process]` that
//! is an `async fn` has no stack: it is a future, polled by a coroutine or thread of the library's, and awaits where others wait
//! ([`read_async`](Reader::read_async), [`parallel_async!`] and so on).
//! `main`, and any thread, is a process too: it may read, write, choose and spawn.
//!
//! A coroutine runs until it waits in an operation of this crate. A loop that computes without communicating, or a
//! blocking call, holds up all the others of its thread: that is what [`compute`] and [`io`](fn@io) are for.
//!
//! # What is guaranteed
//!
//! - A value is delivered to exactly one reader, or comes back to its writer in a [`WriteError`].
//! - Readers and writers of a channel are served in the order in which they came.
//! - A choice performs exactly one of its guards, whole; the others leave no trace.
//! - A process ends only after all it has spawned have; [`parallel!`] returns only after all have ended.
//! - Processes that wait for one another for ever are poisoned with a [report] of who waits for whom.
//! - A panic ends the network and reaches whoever waits for it, with the path of the process that panicked.

#[doc(hidden)]
pub mod __private;
mod alternation;
mod aside;
mod awaiting;
mod backend;
mod barrier;
mod blocked;
mod busy;
mod channel;
mod choice;
mod compute;
mod guard;
pub mod guide;
mod harness;
mod holders;
pub mod io;
mod leaks;
mod macros;
#[cfg(all(test, loom))]
mod models;
mod network;
mod park;
mod patience;
mod place;
pub mod plug;
mod pool;
mod process;
mod quiet;
mod registry;
pub mod report;
mod shared_buf;
pub mod shell;
#[cfg(all(unix, not(loom)))]
mod signals;
mod sketch;
mod sleeping;
mod survey;
mod sync;
mod termination;
mod timer;
mod verdict;
mod waiter;
mod watch;

pub use csp_macros::{io, main, multiprocess, process, test};

pub use aside::{io, io_async};
pub use barrier::{Barrier, Bucket};
pub use channel::{
    BeginAsync, Channel, Extended, IntoIter, Iter, ReadAsync, Reader, WriteAsync, Writer,
};
pub use choice::Alternation;
pub use compute::{compute, compute_async};
pub use network::{
    Component, Current, Members, Output, Parallel, Sequence, Spawn, Spawned, current, init,
    shutdown, shutdown_async, spawn,
};
pub use process::{Backend, Erased, Failure, Process, Replicated};
pub use report::Network;
pub use shared_buf::SharedBuf;
pub use survey::network;
pub use termination::{Cause, Poison, Result, Termination, WriteError};
pub use timer::{Every, every, sleep, sleep_async, sleep_until, sleep_until_async};
