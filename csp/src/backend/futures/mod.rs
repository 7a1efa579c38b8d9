//! Floor 5. Processes that are futures. They have no stacks. One process of their thread, their host, polls them.
//!
//! On coroutines the host is a coroutine of the thread that starts them, and it ends when none is left. On threads
//! each future has a thread, which is its host.

#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
mod alone;
mod batch;
mod host;
#[cfg(all(feature = "coroutines", not(loom)))]
mod hosted;

#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
pub(super) use self::alone::run_alone;
#[cfg(all(feature = "coroutines", not(loom)))]
#[allow(unused_imports, reason = "for schedulers on several cores")]
pub(super) use self::hosted::{start, welcome};
