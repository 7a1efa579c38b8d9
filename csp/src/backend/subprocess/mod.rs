//! Processes that are OS processes: the same executable started again, and channels between its runs.
//!
//! - [`protocol`]: what is decided where: rendezvous, alternation, counts, mobility, death. Pure.
//! - [`ring`], [`mailbox`]: how bytes get from one process to another, and how it waits for them;
//!   [`link`], [`wire`]: messages of them.
//! - [`boot`]: how a child is started, found to be dead, and taken along by its parent's death.
#![expect(dead_code, reason = "no backend is built on these parts yet")]

#[cfg(not(loom))]
mod boot;
#[cfg(not(loom))]
mod bytes;
mod futex;
#[cfg(not(loom))]
mod link;
mod mailbox;
#[cfg(not(loom))]
mod protocol;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
mod wire;
