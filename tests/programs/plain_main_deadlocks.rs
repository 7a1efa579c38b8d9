//! Without `#[csp::main]`: main waits for a process that waits for main.

use csp::{Channel, Reader, multiprocess, spawn};
use csp_tests::backend;

#[multiprocess]
fn waits(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

fn main() {
    let values = Channel::new();
    let _writer = values.writer();
    let _ = spawn(waits(values.reader()).on(backend())).join();
    println!("main went on");
}
