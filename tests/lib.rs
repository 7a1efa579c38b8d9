//! What the laws share: the backends each law runs on, a watchdog over it, values that are counted,
//! chance with a seed.

mod support;

pub use support::arrival::{Arrival, settle};
pub use support::body::run;
pub use support::ledger::{Ledger, Token};
pub use support::memory::{Counting, held, held_by_all};
pub use support::notes::Notes;
pub use support::outcome::{panic_of, poisoned_by_panic, poisoned_by_reason, retired};
pub use support::placement::{Placement, backend};
pub use support::random::{Random, rounds, seed};
pub use support::watchdog::{check, limit, watched};
pub use support::wire::Wire;

/// A retired end is moved: that nothing can be done with it any more, the compiler says.
///
/// ```compile_fail,E0382
/// let values = csp::Channel::new();
/// let (reader, writer) = (values.reader(), values.writer());
/// writer.retire();
/// let _ = writer.write(1_u8);
/// # drop(reader);
/// ```
pub mod retired_end {}

/// One test for each backend from a law: `law::coroutines`, `law::threads`, and `law::mixed`, which
/// has both in one network; `law::os_processes`, where each process that is placed is an OS process, and `law::all_mixed`,
/// where a third of them are. A law that can't have its processes in other OS processes says why.
///
/// ```ignore
/// on_each_backend! {
///     fn poison_wakes_a_blocked_reader(backend) { /* backend.place(process) */ }
///     fn functions_are_values(backend, here: "no function can be serialised") { /* … */ }
/// }
/// ```
#[macro_export]
macro_rules! on_each_backend {
    // None of these laws.
    (here: $reason:expr; $($(#[$attribute:meta])* fn $law:ident($backend:ident) $body:block)+) => {
        $crate::on_each_backend! {
            $($(#[$attribute])* fn $law($backend, here: $reason) $body)+
        }
    };
    ($($(#[$attribute:meta])* fn $law:ident($backend:ident $(, here: $reason:expr)?) $body:block)+) => {$(
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

            $crate::in_os_processes!(law $(, $reason)?);
        }
    )+};
}

/// The part of [`on_each_backend!`] that starts OS processes, or says why not.
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
    };
    ($law:ident, $reason:expr) => {
        const _: &str = $reason;
    };
}

/// Starts a process in place on the backend whose turn it is: like [`Placement::spawn`], but it may be an OS process, so
/// what it uses is named, each with its type.
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
    ($backend:expr, ($($name:ident : $type:ty = $value:expr),* $(,)?) -> $result:ty { $($body:tt)* }) => {
        ::csp::spawn($crate::placed!($backend, ($($name: $type = $value),*) -> $result { $($body)* }))
    };
}

/// The process that [`start!`] starts, not yet started.
#[macro_export]
macro_rules! placed {
    ($backend:expr, ($($name:ident : $type:ty = $value:expr),* $(,)?) -> $result:ty { $($body:tt)* }) => {{
        #[::csp::multiprocess]
        fn run($($name: $type),*) -> $result { $($body)* }
        $backend.place(run($($value),*))
    }};
}

/// Starts a process in place and returns when it waits, or has ended. The first thing that it does is to wait.
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

/// A process in an OS process of its own out of a doc test: one of many in one program, or a program by itself.
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
