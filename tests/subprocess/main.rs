//! Processes that are OS processes: what of them is the same as of any other, and what is not.
#![forbid(unsafe_code)]

mod buffers;
mod channels;

mod failures;
mod farm;
mod folder;
mod futures;
mod harnesses;
mod killed;
mod leftovers;
mod names;
mod nesting;
mod results;
mod signals;
mod stopped;
mod two_homes;
mod values;

/// The number of the OS process that this runs in.
fn here() -> u32 {
    std::process::id()
}

/// A test on a thread of its own, which is the process `law`, under the watchdog.
macro_rules! tests {
    ($($(#[$attribute:meta])* fn $test:ident() $body:block)+) => {$(
        $(#[$attribute])*
        #[test]
        fn $test() {
            csp_tests::watched(concat!(module_path!(), "::", stringify!($test)), || $body);
        }
    )+};
}
pub(crate) use tests;
