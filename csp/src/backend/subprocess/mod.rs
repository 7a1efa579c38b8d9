//! Processes that are OS processes: the same executable started again, and channels between its runs.
//!
//! - [`protocol`]: what is decided where: rendezvous, alternation, counts, mobility, death. Pure.
//! - [`ring`], [`mailbox`]: how bytes get from one process to another, and how it waits for them;
//!   [`link`], [`wire`]: messages of them.
//! - [`boot`]: how a child is started, found to be dead, and taken along by its parent's death.
//! - [`parent`], [`child`]: a process in a child, seen by its parent and by itself. [`portable`]: what macros make of it.
//! - [`node`]: this OS process's part in the network; [`carry`], [`codec`], [`depth`]: values as bytes; [`memory`]: bytes that are not
//!   copied; [`away`]: what channels know of all this.
#![cfg_attr(loom, allow(dead_code, reason = "the models take parts of it"))]

#[cfg(loom)]
#[path = "absent.rs"]
pub(crate) mod absent;
#[cfg(not(loom))]
pub(crate) mod away;
#[cfg(not(loom))]
mod boot;
#[cfg(not(loom))]
mod bytes;
#[cfg(not(loom))]
mod carry;
#[cfg(not(loom))]
mod causes;
#[cfg(not(loom))]
mod child;
#[cfg(not(loom))]
mod codec;
#[cfg(not(loom))]
mod depth;
mod futex;
#[cfg(not(loom))]
mod link;
mod mailbox;
#[cfg(not(loom))]
pub(crate) mod memory;
#[cfg(not(loom))]
mod node;
#[cfg(not(loom))]
mod parent;
#[cfg(not(loom))]
pub(crate) mod portable;
#[cfg(not(loom))]
mod protocol;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
mod told;
#[cfg(not(loom))]
mod wire;

#[cfg(loom)]
pub(crate) use self::absent::{init, portable, waves};
#[cfg(not(loom))]
pub(crate) use self::boot::child::init;
#[cfg(not(loom))]
pub(crate) use self::node::waves;
#[cfg(not(loom))]
pub(crate) use self::parent::start;
