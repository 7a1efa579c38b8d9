//! Floor 7. The parts in front of users: macros, ready-made processes, `main` and tests.

mod errors;
mod harness;
mod macros;
pub mod plug;
#[doc(hidden)]
pub mod private;
pub mod shell;
#[cfg(all(unix, not(loom)))]
mod signals;
pub(super) mod supervise;
