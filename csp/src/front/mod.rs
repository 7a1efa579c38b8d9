//! Floor 7. The parts in front of users: macros, ready-made processes, `main` and tests.

pub(super) mod closures;
#[cfg(all(unix, not(loom)))]
mod dump;
mod errors;
mod harness;
mod macros;
pub mod plug;
#[doc(hidden)]
pub mod private;
mod returned;
pub mod shell;
#[cfg(all(not(loom), feature = "signals"))]
pub(super) mod signals;
pub(super) mod supervise;
