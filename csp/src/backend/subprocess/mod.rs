//! Floor 5. Processes that are OS processes: the same executable started again, and channels between its
//! runs.
//!
//! - [`protocol`]: where rendezvous, alternation, counts, mobility and death are decided. It is
//!   pure.
//! - [`ring`](transport::ring), [`mailbox`](transport::mailbox): how bytes get from one process to another, and how a process waits for
//!   them.
//! - [`link`](transport::link), [`wire`](transport::wire): messages made of such bytes.
//! - [`boot`]: how a child is started and found to be dead, and how it ends with its parent.
//! - [`parent`](boot::parent), [`child`](boot::process): a process in a child, seen by its parent and by itself. [`portable`]:
//!   the expansion of the macros for it.
//! - [`node`]: this OS process's part in the network.
//! - [`carry`](values::carry), [`codec`](values::codec), `described`, `probe`, [`depth`](crate::stack::depth): values as bytes. [`memory`](super::memory::store): bytes
//!   that are not copied, and `buffer`: how they travel. `sent`, `told`, [`causes`](values::causes): the
//!   reasons for an end.

#[cfg(loom)]
mod absent;
#[cfg(all(feature = "address", not(loom)))]
pub(crate) mod address;
#[cfg(not(loom))]
pub(super) mod boot;
#[cfg(all(test, not(loom)))]
mod forging;
#[cfg(all(any(test, csp_fuzz), not(loom)))]
#[allow(unreachable_pub, reason = "`__private` has it in a build for `fuzz/`")]
pub mod fuzzed;
#[cfg(all(feature = "hosts", not(loom)))]
mod hosts;
#[cfg(not(loom))]
mod node;
#[cfg(not(loom))]
pub(crate) mod portable;
#[cfg(not(loom))]
mod protocol;
mod transport;
mod values;

#[cfg(loom)]
pub(crate) use self::absent::{init, portable};
#[cfg(not(loom))]
pub(crate) use self::boot::child::{init, name_overflows};
#[cfg(not(loom))]
#[cfg(not(feature = "hosts"))]
pub(crate) use self::boot::parent::start;
#[cfg(all(feature = "hosts", not(loom)))]
pub(crate) use self::hosts::start;
