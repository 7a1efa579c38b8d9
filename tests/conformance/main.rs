//! What the suites of other systems check, as laws of this library: the same claims, told anew, each on coroutines, on
//! threads, and on both in one network. A module is a source; what of it does not apply here stands at its top, with
//! the reason.

mod crossbeam_after;
mod crossbeam_same_channel;
mod crossbeam_select;
mod crossbeam_zero;
mod go;
mod go_power_series;
mod go_select;
mod jcsp;
mod pycsp;

#[global_allocator]
static COUNTING: csp_tests::Counting = csp_tests::Counting;
