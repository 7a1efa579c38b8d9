// Floor 1. The knowledge of a network, as values.
//! The state of a network, and the reasons why it stopped, as values.
//!
//! [`csp::network()`](crate::network()) takes a snapshot: a [`Network`]. When processes wait for
//! one another for ever, the library reports this on standard error, and poisons them with a
//! [`Deadlock`]. [`Cause::Deadlock`](crate::Cause::Deadlock) and
//! [`Failure::deadlock`](crate::Failure::deadlock) give that.
//!
//! ```
//! println!("{}", csp::network()); // at any time, from anywhere
//! ```
//!
//! # What is found
//!
//! - **All processes are stuck.** Every process is blocked, without a deadline, and none waits for a
//!   signal. No thread is awake, and the system reports no other threads that might wake a process
//!   (Linux tells this). The deadlock is reported at once, whichever processes hold the ends.
//! - **Some processes are stuck, while others go on.** Each of them waits only for actions of
//!   another of them. The library looks for this several times a second, and less often if looking
//!   takes long or nothing changes.
//!
//! There are no false alarms, with one exception at the end of this section. A channel counts as
//! used up only if the holders of *all* its ends and handles are certain. A process certainly holds
//! an end that its function takes as an argument, or makes with `let end = channel.reader();` or
//! the like. The function must then use the end in place only: methods of the end, `&end`, a loop
//! over it, `alt!`. An end that is moved elsewhere, mentioned in a closure, or received in a
//! message may be anywhere. The same holds for the ends of a function without `#[process]` or
//! `#[csp::main]`. A process that a `daemon` keeps waiting is not alone. Daemons that wait for one
//! another are left alone.
//!
//! There is one known limitation. A function may borrow an end and use it from a
//! [`std::thread::scope`] thread while the process itself blocks in that function. A deadlock may
//! then be reported wrongly.
//!
//! # Standard error
//!
//! A thread of the library's own writes all of the library's texts there, and the lines of OS
//! processes. So a lock on standard error, or a pipe that takes nothing, stops no other thread. At
//! most 1 MiB of text waits for its turn. A note replaces the texts that had no room. The end of
//! the program waits for these texts, but no longer than a second. `process::exit` and `abort` wait
//! too, unless the program has a handler for `SIGABRT`.
//!
//! An OS process writes to a pipe, and its parent passes on whole lines. A line without an end is
//! passed on after a second, or when its pipe ends. A program that an OS process leaves behind may
//! go on writing there until the parent has ended.
//!
//! # After `fork`
//!
//! A copy of the program that `fork` makes has one thread. Networks in it run, `io` and `compute`
//! too, and deadlocks are found. Processes of other threads never go on there, and a signal does
//! not print the network. If the program had OS processes before, they belong to the original. The
//! copy gets an error if it starts one. It finds no deadlocks, and must not use ends that have left
//! the original.
//!
//! # Asking from outside
//!
//! | environment variable | |
//! |---|---|
//! | `CSP_WATCH` | how often to look for deadlocks, in milliseconds (250), or `off` |
//! | `CSP_BUSY` | how long a coroutine may run without communicating, in milliseconds, or `off`: see [`busy_after`] |
//! | `CSP_STACKS=1` | for each kind of coroutine, how much of its stack it has used, whenever that is more than before: for choosing `stack = "…"` (engine `slab`) |
//! | `CSP_DUMP` | the form in which a signal prints the network: `text`, `dot`, `mermaid` or `json`, with [`#[csp::main(dump_on_signal)]`](crate::main) |
//! | `CSP_LEAKS=off` | `main` does not report the processes and channels that it leaves behind |
//! | `CSP_PROGRESS=off` | standard error does not show how far hosts are that take long to start |
//! | `CSP_TEST_LIMIT` | how long a [`#[csp::test]`](crate::test) may take, in seconds |

mod busy;
mod deadlock;
mod graph;
pub(super) mod id;
mod json;
mod network;
pub(super) mod place;
mod retirement;
pub(super) mod termination;
pub(super) mod text;
mod words;

pub use self::place::Place;

pub use self::busy::busy_after;
pub(crate) use self::busy::busy_limit;
pub use self::deadlock::Deadlock;
pub(crate) use self::deadlock::Link;
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use self::deadlock::Told;
pub use self::network::{ChannelState, Network, Operation, ProcessState, State, Wait, Wanted};
pub(crate) use self::network::{Fill, HolderName, Thing};
pub use self::retirement::Retirement;
