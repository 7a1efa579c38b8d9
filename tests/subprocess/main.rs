//! Processes that are OS processes: the behaviour that they share with all processes, and their own.
#![forbid(unsafe_code)]

mod attributes;
mod awaited;
mod awaited_choices;
mod buffers;
mod channels;
mod dismissed;
mod ended;
mod failures;
mod farm;
mod fate;
mod folder;
mod futures;
mod harnesses;
mod homes;
#[cfg(feature = "hosts")]
mod hosts;
mod killed;
mod late;
mod leftovers;
#[cfg(feature = "hosts")]
mod listed;
#[cfg(feature = "hosts")]
mod lost;
mod names;
mod nesting;
mod pictures;
mod promised;
mod results;
mod signals;
#[cfg(feature = "hosts")]
mod ssh;
mod stopped;
mod two_homes;
mod values;

use csp::{Reader, Writer, multiprocess};

/// Writes the numbers below this one.
#[multiprocess]
fn counts(out: Writer<u32>, count: u32) -> csp::Result {
    (0..count).try_for_each(|number| Ok(out.write(number)?))
}

/// Returns the sum of all that comes.
#[multiprocess]
fn adds(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

/// Returns the number of the current OS process.
fn here() -> u32 {
    std::process::id()
}

/// Declares tests. Each runs on a thread of its own, which is the process `law`, under the watchdog.
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
