//! Lints see what the user wrote, once.
#![deny(unused_variables, unused_mut, dead_code, missing_docs, non_snake_case)]

#[csp::process]
fn unused() {}

#[csp::process]
#[doc(hidden)]
pub fn Worker(mut Jobs: u64, idle: u64) -> u64 {
    Jobs
}

#[csp::process]
pub fn undocumented() {}

fn main() {
    csp::parallel!(Worker(1, 2));
}
