//! Ordinary Rust functions as communicating sequential processes.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod __private;
mod alternation;
mod backend;
mod barrier;
mod channel;
mod choice;
mod guard;
mod macros;
mod network;
mod park;
mod process;
mod sync;
mod termination;
mod timer;
mod waiter;

pub use csp_macros::{main, multiprocess, process};

pub use barrier::{Barrier, Bucket};
pub use channel::{Channel, Extended, IntoIter, Iter, Reader, Writer};
pub use choice::Alternation;
pub use network::{
    Component, Current, Members, Output, Parallel, Sequence, Spawn, Spawned, current, shutdown,
    spawn,
};
pub use process::{Backend, Erased, Failure, Process, Replicated};
pub use termination::{Cause, Poison, Result, Termination, WriteError};
pub use timer::{Every, every, sleep, sleep_until};
