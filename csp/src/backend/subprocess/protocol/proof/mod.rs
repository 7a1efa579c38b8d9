//! Floor 5. What shows that the protocol keeps its promises: models, a simulation, random networks, planted
//! mistakes and forged messages. All of it is compiled for tests only.

mod checks;
pub(super) mod faults;
mod model;
mod sim;
mod stress;
