//! Networks by chance: whatever happens to whom and when, everything ends, and each value is in
//! exactly one place. A failure names its seed; `CSP_SEED` starts there, `CSP_ROUNDS` says how
//! many.

mod crowds;
mod networks;
mod races;
