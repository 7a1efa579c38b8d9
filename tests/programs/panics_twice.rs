//! A process panics, and a value that it drops panics too. Rust ends the program at once.

use csp::{Channel, Reader, Writer, parallel, process};
use csp_tests::backend;

struct Explodes;

impl Drop for Explodes {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

#[process]
fn panics_twice(_output: Writer<u32>) {
    let _explodes = Explodes;
    panic!("the first panic");
}

#[process]
fn waits(input: Reader<u32>) {
    let _ = input.read();
    println!("the other went on");
}

fn main() {
    let values = Channel::new();
    parallel!(waits(values.reader()).on(backend()), panics_twice(values.writer()).on(backend()),);
    println!("main went on");
}
