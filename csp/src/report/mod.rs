//! What a network is doing, and why it stopped, as values.
//!
//! [`csp::network()`](crate::network()) takes a snapshot: a [`Network`]. When processes wait for one another for ever, the
//! library says so on standard error, and poisons them with a [`Deadlock`], which
//! [`Cause::Deadlock`](crate::Cause::Deadlock) and [`Failure::deadlock`](crate::Failure::deadlock) give.

mod deadlock;
mod graph;
mod network;

pub use self::deadlock::Deadlock;
pub(crate) use self::deadlock::Link;
pub(crate) use self::network::{Fill, HolderName, Thing};
pub use self::network::{Network, Operation, ProcessState, State, Wait, Wanted};
