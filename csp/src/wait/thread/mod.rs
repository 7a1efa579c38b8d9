//! Floor 2. Plain threads as processes.

pub(super) mod current;
pub(super) mod park;
pub(crate) mod patience;
pub(super) mod plain;
pub(crate) mod pool;
pub(crate) mod relief;
pub(super) mod sleeping;
