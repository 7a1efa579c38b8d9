//! Floor 2. The sight that others have of a process that waits.

pub(crate) mod agents;
pub(crate) mod holders;
pub(crate) mod links;
pub(crate) mod observe;
pub(crate) mod others;
