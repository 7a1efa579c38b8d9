//! The backends that are compiled in. The programs of trybuild get the features through this library.

/// Returns whether processes can be coroutines.
pub fn coroutines() -> bool {
    cfg!(feature = "coroutines")
}

/// Returns whether they can be threads. A build without coroutines has threads, because something has to run the processes.
pub fn threads() -> bool {
    cfg!(any(feature = "threads", not(feature = "coroutines")))
}

/// Returns whether they can be OS processes.
pub fn subprocess() -> bool {
    cfg!(all(feature = "subprocess", target_os = "linux"))
}
