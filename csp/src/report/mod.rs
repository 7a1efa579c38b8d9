//! What a network is doing, and why it stopped, as values.
//!
//! [`csp::network()`](crate::network()) takes a snapshot: a [`Network`]. When processes wait for one another for ever, the
//! library says so on standard error, and poisons them with a [`Deadlock`], which
//! [`Cause::Deadlock`](crate::Cause::Deadlock) and [`Failure::deadlock`](crate::Failure::deadlock) give.
//!
//! ```
//! println!("{}", csp::network()); // at any time, from anywhere
//! ```
//!
//! # What is found
//!
//! - **Nobody can go on.** Every process is blocked, without a deadline; no thread is awake, and the system knows of no other
//!   threads that might wake one (where it tells: on Linux). This is reported at once, whoever holds which ends.
//! - **Some can't go on, while others do.** Each of them waits only for what can only be done by one of them. This is
//!   looked for several times a second; less often where looking takes long, or nothing changes.
//!
//! There are no false alarms: a channel counts as used up only if it is certain who holds *all* its ends and handles. An
//! end is certain to be held by a process if its function takes it as an argument, or makes it with
//! `let end = channel.reader();` or the like, and then uses it in place only: methods of the end, `&end`, a loop over
//! it, `alt!`. An end that is moved elsewhere, mentioned in a closure, or received in a message may be anywhere, and so
//! may those of a function without `#[process]` or `#[csp::main]`. A process that a `daemon` keeps waiting is not
//! alone; daemons that wait for one another are left alone.
//!
//! One end that is lent to a function may be used there by a thread of [`std::thread::scope`] while the process waits in the
//! same function for something else. That is the one way known to be mistaken.
//!
//! # Asking from outside
//!
//! | environment variable | |
//! |---|---|
//! | `CSP_WATCH` | how often to look for deadlocks, in milliseconds (250), or `off` |
//! | `CSP_BUSY` | how long a coroutine may run without communicating, in milliseconds, or `off`: see [`busy_after`] |
//! | `CSP_STACKS=1` | for each kind of coroutine, how much of its stack it has used, whenever that is more than before: for choosing `stack = "…"` (engine `slab`) |
//! | `CSP_DUMP` | what a signal prints: `text`, `dot`, `mermaid` or `json`, with [`#[csp::main(dump_on_signal)]`](crate::main) |
//! | `CSP_LEAKS=off` | `main` does not say what it leaves behind |
//! | `CSP_TEST_LIMIT` | how long a [`#[csp::test]`](crate::test) may take, in seconds |

mod deadlock;
mod graph;
mod network;
pub(crate) mod text;
mod value;

pub use crate::busy::busy_after;
pub use crate::place::Place;

pub use self::deadlock::Deadlock;
pub(crate) use self::deadlock::Link;
#[allow(unused_imports, reason = "for a backend that may not be compiled in")]
pub(crate) use self::deadlock::Told;
pub use self::network::{ChannelState, Network, Operation, ProcessState, State, Wait, Wanted};
pub(crate) use self::network::{Fill, HolderName, Thing};
