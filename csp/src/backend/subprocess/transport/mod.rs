//! Floor 5. Bytes and messages between two OS processes.

#[cfg(all(feature = "hosts", not(loom)))]
pub(super) mod broken_pipes;
mod futex;
#[cfg(not(loom))]
pub(super) mod inbox;
#[cfg(not(loom))]
pub(super) mod link;
pub(super) mod mailbox;
#[cfg(not(loom))]
pub(super) mod region;
#[cfg(not(loom))]
pub(super) mod ring;
#[cfg(all(feature = "hosts", not(loom)))]
pub(super) mod stream;
#[cfg(any(feature = "hosts", all(test, loom)))]
mod turn;
#[cfg(not(loom))]
pub(super) mod wire;
