//! The lints that a strict crate enables.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, unused, rust_2018_idioms, unused_qualifications)]
#![deny(
    unused_lifetimes,
    single_use_lifetimes,
    unused_results,
    let_underscore_drop,
    elided_lifetimes_in_paths
)]

use csp::{Channel, Reader, Writer, parallel, process};

/// Documented.
#[process(name = "source", stack = "64 KiB", on_panic = retire)]
fn producer(mut jobs: Vec<u64>, out: Writer<u64>) -> csp::Result {
    while let Some(job) = jobs.pop() {
        out.write(job)?;
    }
    Ok(())
}

/// Documented.
#[process]
fn consumer(input: Reader<u64>, _unused: u8) -> u64 {
    input.iter().sum()
}

#[csp::main]
fn main() {
    let jobs = Channel::new();
    let (source, sum) =
        parallel!(producer(vec![1, 2, 3], jobs.writer()), consumer(jobs.reader(), 0));
    assert_eq!((source.is_ok(), sum), (true, 6));
}
