//! Floor 7. The parts in front of users: macros, ready-made processes, `main` and tests.

/// The guards of descriptors.
mod descriptors {
    #[cfg(all(feature = "net", unix, not(loom)))]
    pub use crate::net::alt::{accept, readable, recv_from, writable};
}

/// Makes a guard of a descriptor. It is a mistake where there are none, which the macros do not know.
#[cfg(all(feature = "net", unix, not(loom)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_descriptor {
    ($name:ident, $($argument:tt)*) => {
        $crate::__private::alt::$name($($argument)*)
    };
}
#[cfg(not(all(feature = "net", unix, not(loom))))]
#[doc(hidden)]
#[macro_export]
macro_rules! __csp_descriptor {
    ($name:ident, $($argument:tt)*) => {
        ::core::compile_error!(concat!(
            "the guard `",
            stringify!($name),
            "` waits for a socket: the feature `net` of csp is not compiled in, or this system is no Unix"
        ))
    };
}

#[cfg(all(feature = "signals", feature = "net", unix, not(loom)))]
#[path = "signals/queued.rs"]
mod bell;
#[cfg(all(feature = "signals", not(feature = "net"), unix, not(loom)))]
#[path = "signals/threaded.rs"]
mod bell;
pub(super) mod closures;
#[cfg(all(unix, not(loom)))]
mod dump;
mod errors;
mod harness;
mod macros;
#[cfg(all(feature = "net", unix, not(loom)))]
#[path = "shell/queued.rs"]
mod pipes;
#[cfg(not(all(feature = "net", unix, not(loom))))]
#[path = "shell/aside.rs"]
mod pipes;
pub mod plug;
#[doc(hidden)]
pub mod private;
mod returned;
pub mod shell;
#[cfg(all(not(loom), feature = "signals"))]
pub(super) mod signals;
pub(super) mod supervise;
