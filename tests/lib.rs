//! What the laws share: the backends each law runs on, a watchdog over it, values that are counted,
//! chance with a seed.

mod support;

pub use support::arrival::{Arrival, settle};
pub use support::body::run;
pub use support::ledger::{Ledger, Token};
pub use support::memory::{Counting, held, held_by_all};
pub use support::outcome::{panic_of, poisoned_by_panic, poisoned_by_reason, retired};
pub use support::placement::{Placement, backend};
pub use support::random::{Random, rounds, seed};
pub use support::watchdog::{check, limit, watched};

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
/// has both in one network.
///
/// ```ignore
/// on_each_backend! {
///     fn poison_wakes_a_blocked_reader(backend) { /* backend.place(process) */ }
/// }
/// ```
#[macro_export]
macro_rules! on_each_backend {
    ($($(#[$attribute:meta])* fn $law:ident($backend:ident) $body:block)+) => {$(
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
        }
    )+};
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
