//! Without `#[csp::main]`: main waits for a process that waits for main.

use csp::{Backend, Channel, Reader, process, spawn};

#[process]
fn waits(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        _ => Backend::Coroutine,
    }
}

fn main() {
    let values = Channel::new();
    let _writer = values.writer();
    let _ = spawn(waits(values.reader()).on(backend())).join();
    println!("main went on");
}
