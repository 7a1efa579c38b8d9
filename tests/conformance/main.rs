//! The checks of other systems' suites, as laws of this library. The claims are the same, written anew, and run on coroutines,
//! on threads, and on both in one network. Each module is a source. The top of the module lists the parts that do not apply
//! here, with the reason.

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
