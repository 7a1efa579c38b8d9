//! Two processes read from each other, and the program does nothing about it.

use csp::{Channel, Reader, Writer, alt, parallel, process};
use csp_tests::backend;

#[process]
fn echo(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    loop {
        output.write(input.read()?)?;
    }
}

#[process]
fn chooses(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    let other = Channel::<String>::buffered(3).named("other");
    let (read, _write) = (other.reader(), other.writer());
    let value = alt! {
        value = input.read() => value,
        _ = read.read() => 0,
    }?;
    Ok(output.write(value)?)
}

#[csp::main]
fn main() {
    let (there, back) = (Channel::new().named("there"), Channel::new());
    let _ = parallel!(
        echo(there.reader(), back.writer()).on(backend()),
        chooses(back.reader(), there.writer()).on(backend()),
    );
    println!("main went on");
}
