//! What a network is doing, as values: [`csp::network()`](crate::network()) takes a snapshot.

mod network;

pub use self::network::{Network, ProcessState, State, Wait, Wanted, network};
pub use crate::blocked::Operation;
