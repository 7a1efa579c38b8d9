//! Starts more children than it has descriptors for, all of which stay until those that could not be had are counted.

use csp::{multiprocess, spawn, try_parallel};

#[multiprocess]
fn idle() {
    std::thread::sleep(std::time::Duration::from_secs(1));
}

#[csp::main]
fn main() {
    let children = spawn(40 * idle());
    let failures: Vec<_> =
        children.into_iter().filter_map(|child| child.try_join().err()).collect();
    assert!(!failures.is_empty());
    for failure in &failures {
        println!("{failure}");
    }
    // Those that there were have given theirs back.
    try_parallel!(2 * idle()).unwrap();
}
