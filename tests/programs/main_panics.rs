//! `main` itself panics, while a process that it spawned waits for it. Or it runs a process that panics.

use csp::{Channel, Reader, Termination, parallel, process, spawn};
use csp_tests::backend;

#[process]
fn waits(input: Reader<u32>) {
    match input.read() {
        Err(Termination::Poisoned(poison)) => println!("{poison}"),
        other => println!("{other:?}"),
    }
}

#[process]
fn panics() {
    panic!("enough");
}

#[csp::main]
fn main() {
    if std::env::args().nth(2).as_deref() == Some("process") {
        parallel!(panics().on(backend()));
    }
    let values = Channel::new();
    let _writer = values.writer();
    let _ = spawn(waits(values.reader()).on(backend()));
    panic!("enough");
}
