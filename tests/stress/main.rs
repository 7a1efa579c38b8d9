//! Random networks. A process may fail in any way and at any moment, but every process ends, and each value is in
//! exactly one place. A failure names its seed. `CSP_SEED` starts there, and `CSP_ROUNDS` sets the number
//! of rounds.

mod crowds;
#[cfg(all(feature = "coroutines", feature = "threads"))]
mod mixture;
mod networks;
mod one_outcome;
mod races;
mod threads;
