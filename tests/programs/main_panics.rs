//! `main` itself panics, while what it spawned waits for it.

use csp::{Backend, Channel, Reader, Termination, process, spawn};

#[process]
fn waits(input: Reader<u32>) {
    match input.read() {
        Err(Termination::Poisoned(poison)) => println!("{poison}"),
        other => println!("{other:?}"),
    }
}

fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        _ => Backend::Coroutine,
    }
}

#[csp::main]
fn main() {
    let values = Channel::new();
    let _writer = values.writer();
    let _ = spawn(waits(values.reader()).on(backend()));
    panic!("enough");
}
