//! Floor 5. The tests of the protocol: models, a simulation, random networks, planted mistakes and
//! forged messages.

mod checks;
pub(super) mod faults;
mod forgeries;
mod model;
mod sim;
mod stress;
