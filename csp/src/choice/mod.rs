//! Floor 6. Choice, and what can be waited for besides channels.

pub(super) mod alternation;
pub(crate) mod arms;
pub(super) mod barrier;
pub(super) mod bucket;
pub(super) mod choose;
pub(super) mod guard;
pub(super) mod guards;
#[doc(alias = "blocking")]
pub mod io;
pub(super) mod limited;
pub(super) mod timer;
pub(super) mod unwritten;
