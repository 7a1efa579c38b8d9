//! Floor 6. The guards of a choice.

mod at_channel;
pub(crate) mod call;
pub(crate) mod join;
pub(crate) mod late;
pub(crate) mod read;
pub(crate) mod retired;
pub(crate) mod time;
pub(crate) mod variable;
pub(crate) mod write;
