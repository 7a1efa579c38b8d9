//! Floor 3. How two processes agree on one communication.

pub(super) mod awaited;
pub(super) mod gate;
pub(super) mod held;
pub(super) mod offer;
pub(super) mod parcel;
pub(super) mod promise;
pub(super) mod queue;
pub(super) mod seat;
pub(super) mod stand;
pub(super) mod waiter;
pub(super) mod word;
