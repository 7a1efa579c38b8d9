//! Processes that are futures: no stack each, polled by one process of their thread, their host.
//!
//! On coroutines the host is a coroutine of the thread that starts them; it ends when none is left. On threads each has a
//! thread, which is its host.

mod batch;
mod host;

#[cfg(any(feature = "threads", not(feature = "coroutines"), loom))]
pub(super) use self::host::run_alone;
#[cfg(all(feature = "coroutines", not(loom)))]
pub(super) use self::host::{show, start, take_letters, why};
