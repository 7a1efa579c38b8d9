//! The parts of the test library: one idea a file.

pub(crate) mod arrival;
pub(crate) mod body;
pub(crate) mod kinds;
pub(crate) mod ledger;
pub(crate) mod memory;
pub(crate) mod notes;
pub(crate) mod outcome;
pub(crate) mod pipes;
pub(crate) mod placement;
pub(crate) mod random;
pub(crate) mod watchdog;
pub(crate) mod wire;
