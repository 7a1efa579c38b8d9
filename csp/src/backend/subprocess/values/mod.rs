//! Floor 5. Values as bytes, and back.

#[cfg(not(loom))]
mod buffer;
#[cfg(not(loom))]
pub(super) mod carry;
#[cfg(not(loom))]
pub(super) mod causes;
#[cfg(not(loom))]
pub(super) mod codec;
#[cfg(all(feature = "address", not(loom)))]
pub(super) mod crossed;
#[cfg(not(loom))]
pub(super) mod described;
#[cfg(not(loom))]
mod failed;
#[cfg(not(loom))]
mod probe;
#[cfg(not(loom))]
pub(super) mod sent;
#[cfg(not(loom))]
pub(super) mod text;
#[cfg(not(loom))]
mod told;
