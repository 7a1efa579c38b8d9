//! Floor 1. The services of the operating system: copies by `fork`, threads of our own, standard error, the count of awake threads, the
//! number of cores, whether any thread has run, descriptors of children, and whether there may be other OS processes.

pub(super) mod cores;
pub(super) mod forked;
pub(super) mod helper;
pub(super) mod mutex;
#[cfg(target_os = "linux")]
pub(super) mod pidfd;
pub(super) mod possible;
pub(super) mod quiet;
pub(super) mod shared;
pub(super) mod stderr;
pub(super) mod stillness;
pub(super) mod thread_id;
