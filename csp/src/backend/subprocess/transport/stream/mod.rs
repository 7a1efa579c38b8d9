//! Floor 5. A link that is one reliable stream of bytes.

mod frame;
mod frames;
#[cfg(any(test, csp_fuzz))]
mod fuzzed;
mod link;
#[cfg(test)]
mod model;
mod output;
mod receiving;
mod sending;
mod state;
mod streams;
#[cfg(test)]
mod tests;

pub(in crate::backend::subprocess) use self::frames::{LinkLoss, PEER_TIMEOUT, StreamSide};
#[cfg(any(test, csp_fuzz))]
pub(in crate::backend::subprocess) use self::fuzzed::take_frames;
pub(in crate::backend::subprocess) use self::link::{
    StreamEnder, StreamEnds, StreamLink, StreamOwner,
};
#[cfg(test)]
pub(in crate::backend::subprocess) use self::tests::packed_frames;
