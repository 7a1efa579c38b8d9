//! A library with processes, to be loaded by a host that does not know them.
#![allow(unsafe_code, reason = "a host finds its function by name")]
#![cfg(all(feature = "subprocess", target_os = "linux"))]

use csp::{multiprocess, process, try_parallel};

#[multiprocess]
fn doubles(n: u32) -> u32 {
    2 * n
}

#[process]
fn halves(n: u32) -> u32 {
    n / 2
}

/// Runs when the host calls it.
#[unsafe(no_mangle)]
pub extern "C" fn run() {
    match try_parallel!(doubles(21)) {
        Ok((n,)) => println!("an OS process: {n}"),
        Err(failure) => println!("an OS process: {failure:#}"),
    }
    let halved = try_parallel!(halves(42)).map(|(n,)| n);
    println!("another process: {halved:?}");
}
