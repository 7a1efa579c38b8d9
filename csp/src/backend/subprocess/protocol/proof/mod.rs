//! Floor 5. The tests of the protocol: models, a simulation, random networks, planted mistakes and
//! forged messages.

#[cfg(test)]
mod checks;
#[cfg(test)]
mod crowded;
#[cfg(test)]
pub(super) mod faults;
#[cfg(test)]
mod forgeries;
#[cfg(test)]
mod model;
pub(in crate::backend::subprocess) mod scene;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod stress;
