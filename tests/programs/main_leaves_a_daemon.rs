//! A daemon waits for what never comes.

use csp::{Backend, Channel, Reader, process, spawn};

#[process(daemon)]
fn waits(input: Reader<u32>) {
    let _ = input.read();
    println!("the daemon went on");
}

fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        _ => Backend::Coroutine,
    }
}

#[csp::main]
fn main() {
    let never = Channel::new();
    // Never dropped: nothing tells the daemon that nobody will write.
    std::mem::forget(never.writer());
    let _ = spawn(waits(never.reader()).on(backend()));
    println!("main ends");
}
