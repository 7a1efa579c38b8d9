//! A daemon waits for a value that never comes.

use csp::{Channel, Reader, process, spawn};
use csp_tests::backend;

#[process(daemon)]
fn waits(input: Reader<u32>) {
    let _ = input.read();
    println!("the daemon went on");
}

#[csp::main]
fn main() {
    let never = Channel::new();
    // The end is never dropped, so the daemon does not learn that no process will write.
    std::mem::forget(never.writer());
    let _ = spawn(waits(never.reader()).on(backend()));
    println!("main ends");
}
