//! Functions with `#[multiprocess]`. Prints whether they run in this OS process, and whether one of them can be killed.

use csp::{Channel, Reader, multiprocess, parallel, spawn};

#[multiprocess]
fn first() -> u32 {
    std::process::id()
}

#[multiprocess]
fn second() -> u32 {
    std::process::id()
}

#[multiprocess]
fn waits(until: Reader<()>) {
    let _ = until.read();
}

#[csp::main]
fn main() {
    let here = std::process::id();
    let (first, seconds) = parallel!(first(), 2 * second());
    println!("{} {} {}", first == here, seconds[0] == here, seconds[1] == here);

    let until = Channel::new();
    let writer = until.writer();
    let waits = spawn(waits(until.reader()));
    println!("{}", waits.kill().is_ok());
    writer.retire();
    println!("{}", waits.try_join().is_ok());
}
