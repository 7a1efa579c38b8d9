//! A process panics and is not joined, while another process waits for it.

use csp::{Channel, Reader, Termination, Writer, process, spawn};
use csp_tests::backend;

#[process]
fn crashes(_output: Writer<u32>, go: Reader<()>) {
    let _ = go.read();
    panic!("out of cheese");
}

#[process]
fn printer(input: Reader<u32>) {
    match input.read() {
        Err(Termination::Poisoned(_)) => println!("printer: poisoned"),
        other => println!("printer: {other:?}"),
    }
}

#[csp::main]
fn main() {
    let (values, go) = (Channel::new(), Channel::new());
    let _held_until_main_ends = go.writer();
    let _ = spawn(printer(values.reader()).on(backend()));
    let _ = spawn(crashes(values.writer(), go.reader()).on(backend()));
    println!("main ends");
}
