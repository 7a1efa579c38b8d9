//! Choice and related subjects: fairness, timers, barriers, and the ways to write and to read in a choice. Each law runs on
//! coroutines, on threads, and on both in one network.

mod barriers;
mod defects;
mod fairness;
mod guards;
mod pairings;
mod polling;
mod priority;
mod races;
mod timers;
mod writes;

#[global_allocator]
static COUNTING: csp_tests::Counting = csp_tests::Counting;
