//! Floor 5. A link that is one reliable stream of bytes.

mod frame;
mod frames;
mod link;
#[cfg(test)]
mod model;
mod receiving;
mod sending;
mod streams;
#[cfg(test)]
mod tests;

pub(in crate::backend::subprocess) use self::frames::{LinkLoss, PEER_TIMEOUT, StreamSide};
pub(in crate::backend::subprocess) use self::link::{
    StreamEnder, StreamEnds, StreamLink, StreamOwner,
};
