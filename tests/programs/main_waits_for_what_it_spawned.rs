//! Leaves two processes behind that have not communicated yet.

use csp::{Channel, Reader, Writer, process, spawn};
use csp_tests::backend;
use std::process::ExitCode;

#[process]
fn numbers(output: Writer<u32>) -> csp::Result {
    (0..5).try_for_each(|number| Ok(output.write(number)?))
}

#[process]
fn printer(input: Reader<u32>, go: Reader<()>) {
    let _ = go.read();
    for number in &input {
        println!("{number}");
    }
    println!("{}", csp::current().path());
}

#[csp::main]
fn main() -> ExitCode {
    let (values, go) = (Channel::new(), Channel::new());
    let _held_until_main_ends = go.writer();
    let _ = spawn(printer(values.reader(), go.reader()).on(backend()));
    let _ = spawn(numbers(values.writer()).on(backend()));
    println!("main ends");
    ExitCode::from(3)
}
