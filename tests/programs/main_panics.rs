//! `main` itself panics, while a process that it spawned waits for it.

use csp::{Channel, Reader, Termination, process, spawn};
use csp_tests::backend;

#[process]
fn waits(input: Reader<u32>) {
    match input.read() {
        Err(Termination::Poisoned(poison)) => println!("{poison}"),
        other => println!("{other:?}"),
    }
}

#[csp::main]
fn main() {
    let values = Channel::new();
    let _writer = values.writer();
    let _ = spawn(waits(values.reader()).on(backend()));
    panic!("enough");
}
