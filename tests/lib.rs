//! The library of the laws: the backends that each law runs on, a watchdog over it, counted values, and
//! random numbers with a seed.

mod support;

/// The coroutine engines that are compiled in. The first is used unless `CSP_ENGINE` names another.
pub use csp::__private::ENGINES;
pub use csp_tests_twins::{awaitable, in_place, multiprocess, process};
pub use support::arrival::{Arrival, settle, settle_async};
pub use support::body::{run, run_async};
pub use support::kinds::{Iterate, awaits, caught_async};
pub use support::ledger::{Ledger, Token};
pub use support::memory::{Counting, held, held_by_all};
pub use support::notes::Notes;
pub use support::outcome::{panic_of, poisoned_by_panic, poisoned_by_reason, retired};
#[cfg(unix)]
pub use support::pipes::die_by_broken_pipes;
pub use support::placement::{Placement, backend};
pub use support::random::{Random, rounds, seed};
pub use support::watchdog::{check, limit, watched};
pub use support::wire::Wire;

/// A retired end is moved, so the compiler refuses its further use.
///
/// ```compile_fail,E0382
/// let values = csp::Channel::new();
/// let (reader, writer) = (values.reader(), values.writer());
/// writer.retire();
/// let _ = writer.write(1_u8);
/// # drop(reader);
/// ```
pub mod retired_end {}

/// Makes one test for each backend from a law: `law::coroutines`, `law::cores`, `law::left_to_cores`, `law::threads`, and `law::mixed`, which
/// has coroutines and threads in one network. In `law::os_processes` each process that is placed is an OS process. In `law::all_mixed`
/// a third of them are. In `law::streams` each is an OS process whose link is a stream of bytes. A law that can't have its processes
/// in other OS processes gives the reason.
///
/// In `law::async_coroutines`, `law::async_cores` and `law::async_threads` each process with a twin is the twin, an `async fn`. In `law::async_mixed`
/// every other process is the twin. A law that can't have that gives the reason.
///
/// ```ignore
/// laws! {
///     fn poison_wakes_a_blocked_reader(backend) { /* backend.place(process) */ }
///     fn functions_are_values(backend, here: "no function can be serialised") { /* … */ }
///     fn destructors_wait(backend, async: "nothing awaits in a destructor") { /* … */ }
/// }
/// ```
#[macro_export]
macro_rules! laws {
    // The reason applies to all of these laws.
    (here: $here:expr; async: $async:expr; $($(#[$attribute:meta])* fn $law:ident($backend:ident) $body:block)+) => {
        $crate::laws! {
            $($(#[$attribute])* fn $law($backend, here: $here, async: $async) $body)+
        }
    };
    (here: $here:expr; $($(#[$attribute:meta])* fn $law:ident($backend:ident $(, async: $async:expr)?) $body:block)+) => {
        $crate::laws! {
            $($(#[$attribute])* fn $law($backend, here: $here $(, async: $async)?) $body)+
        }
    };
    (async: $async:expr; $($(#[$attribute:meta])* fn $law:ident($backend:ident $(, here: $here:expr)?) $body:block)+) => {
        $crate::laws! {
            $($(#[$attribute])* fn $law($backend $(, here: $here)?, async: $async) $body)+
        }
    };
    ($($(#[$attribute:meta])* fn $law:ident($backend:ident $(, here: $here:expr)? $(, async: $async:expr)?) $body:block)+) => {$(
        mod $law {
            #[allow(unused_imports)]
            use super::*;

            $(#[$attribute])*
            fn law($backend: &$crate::Placement) $body

            #[cfg(feature = "coroutines")]
            #[test]
            fn coroutines() {
                $crate::check(module_path!(), $crate::Placement::coroutines(), law);
            }

            #[cfg(feature = "cores")]
            #[test]
            fn cores() {
                $crate::check(module_path!(), $crate::Placement::cores(), law);
            }

            #[cfg(feature = "cores")]
            #[test]
            fn left_to_cores() {
                $crate::check(module_path!(), $crate::Placement::left_to_cores(), law);
            }

            #[cfg(feature = "threads")]
            #[test]
            fn threads() {
                $crate::check(module_path!(), $crate::Placement::threads(), law);
            }

            #[cfg(all(feature = "coroutines", feature = "threads"))]
            #[test]
            fn mixed() {
                $crate::check(module_path!(), $crate::Placement::mixed(), law);
            }

            $crate::in_os_processes!(law $(, $here)?);
            $crate::as_futures!(law $(, $async)?);
        }
    )+};
}

/// Makes [`laws!`] that do not run as futures, because others check the same, or because they concern one kind of process.
#[macro_export]
macro_rules! on_each_backend {
    (here: $here:expr; $($laws:tt)+) => {
        $crate::laws! { here: $here; async: "what they rest on are the laws, which run as futures too"; $($laws)+ }
    };
    ($($laws:tt)+) => {
        $crate::laws! { async: "what they rest on are the laws, which run as futures too"; $($laws)+ }
    };
}

/// Makes the tests of [`laws!`] whose processes await, or takes the reason why there are none.
#[doc(hidden)]
#[macro_export]
macro_rules! as_futures {
    ($law:ident) => {
        #[cfg(feature = "coroutines")]
        #[test]
        fn async_coroutines() {
            $crate::check(module_path!(), $crate::Placement::async_coroutines(), $law);
        }

        #[cfg(feature = "cores")]
        #[test]
        fn async_cores() {
            $crate::check(module_path!(), $crate::Placement::async_cores(), $law);
        }

        #[cfg(feature = "threads")]
        #[test]
        fn async_threads() {
            $crate::check(module_path!(), $crate::Placement::async_threads(), $law);
        }

        #[cfg(all(feature = "coroutines", feature = "threads"))]
        #[test]
        fn async_mixed() {
            $crate::check(module_path!(), $crate::Placement::async_mixed(), $law);
        }
    };
    ($law:ident, $reason:expr) => {
        const _: &str = $reason;
    };
}

/// Returns the outcome of an expression that may panic and may wait.
#[macro_export]
macro_rules! caught {
    ($work:expr) => {
        ::std::panic::catch_unwind(::std::panic::AssertUnwindSafe(|| $work))
    };
}

/// Calls an [`awaitable`] function.
#[macro_export]
macro_rules! wait_for {
    ($call:expr) => {
        $call
    };
}

/// Makes the tests of [`laws!`] that start OS processes, or takes the reason why there are none.
#[doc(hidden)]
#[macro_export]
macro_rules! in_os_processes {
    ($law:ident) => {
        #[cfg(feature = "subprocess")]
        #[test]
        fn os_processes() {
            $crate::check(module_path!(), $crate::Placement::os_processes(), $law);
        }

        #[cfg(all(feature = "coroutines", feature = "subprocess"))]
        #[test]
        fn all_mixed() {
            $crate::check(module_path!(), $crate::Placement::all_mixed(), $law);
        }

        #[cfg(feature = "hosts")]
        #[test]
        #[ignore = "ci/streams.sh runs it"]
        fn streams() {
            $crate::check(module_path!(), $crate::Placement::streams(), $law);
        }
    };
    ($law:ident, $reason:expr) => {
        const _: &str = $reason;
    };
}

/// Starts a process in place on the next backend, like [`Placement::spawn`]. The process may be an OS process, so
/// its variables are listed, each with its type.
///
/// ```
/// # fn main() { csp_tests::check("doc", csp_tests::Placement::threads(), |backend| {
/// use csp_tests::start;
///
/// let two = start!(backend, (one: u32 = 1) -> u32 { one + 1 });
/// assert_eq!(two.join(), 2);
/// # }) }
/// ```
#[macro_export]
macro_rules! start {
    ($backend:expr, $($process:tt)*) => { ::csp::spawn($crate::placed!($backend, $($process)*)) };
}

/// Makes the process that [`start!`] starts, without starting it.
#[macro_export]
macro_rules! placed {
    ($backend:expr, ($($name:ident : $type:ty = $value:expr),* $(,)?) -> $result:ty { $($body:tt)* }) => {{
        #[$crate::multiprocess]
        fn run($($name: $type),*) -> $result { $($body)* }
        $backend.place(run($($value),*))
    }};
    // This process has no twin that awaits.
    ($backend:expr, waiting ($($name:ident : $type:ty = $value:expr),* $(,)?) -> $result:ty { $($body:tt)* }) => {{
        #[::csp::multiprocess]
        fn run($($name: $type),*) -> $result { $($body)* }
        $backend.place(run($($value),*))
    }};
}

/// Starts a process in place and returns when it waits, or has ended. The process waits first of all.
#[macro_export]
macro_rules! start_waiting {
    ($backend:expr, ($($name:ident : $type:ty = $value:expr),* $(,)?) -> $result:ty { $($body:tt)* }) => {{
        let arrival = $crate::Arrival::new();
        let process = $crate::start!(
            $backend,
            (arrival: $crate::Arrival = arrival.clone() $(, $name: $type = $value)*) -> $result {
                arrival.announce();
                $($body)*
            }
        );
        arrival.until_blocked();
        process
    }};
}

/// Runs a process in an OS process of its own from a doc test: one of many in one program, or a program by itself.
///
/// ```
/// #[csp::multiprocess]
/// fn there() -> u32 { std::process::id() }
///
/// assert_ne!(csp::parallel!(there()).0, std::process::id());
/// ```
///
/// ```
/// #[csp::multiprocess]
/// fn there() -> u32 { std::process::id() }
///
/// #[csp::main]
/// fn main() {
///     assert_ne!(csp::parallel!(there()).0, std::process::id());
/// }
/// ```
///
/// ```standalone_crate
/// #[csp::multiprocess]
/// fn there<T: 'static>() -> u32 { std::process::id() }
///
/// assert_ne!(csp::parallel!(there::<u8>()).0, std::process::id());
/// ```
#[cfg(feature = "subprocess")]
pub mod os_process_in_a_doc_test {}
