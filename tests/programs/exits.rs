//! The program ends while a process goes on for which no other waits: `exits BACKEND WHO`.

use csp::{Reader, Writer, parallel, process, spawn};
use csp_tests::backend;
use std::thread;

/// Goes on for ever, because `STAYS` holds the other end.
#[process]
fn goes_on(input: Reader<u32>) {
    let _ = input.read();
    println!("it went on");
}

fn begin() -> Writer<u32> {
    let never = csp::Channel::new();
    drop(spawn(goes_on(never.reader()).on(backend())));
    never.writer()
}

#[process]
fn exits() {
    let _writer = begin();
    std::process::exit(3);
}

#[process]
async fn exits_async() {
    let _writer = begin();
    std::process::exit(3);
}

fn main() {
    let writer = begin();
    match std::env::args().nth(2).as_deref() {
        Some("main") => std::process::exit(3),
        Some("process") => drop(parallel!(exits().on(backend()))),
        Some("async process") => drop(parallel!(exits_async().on(backend()))),
        Some("thread") => {
            let exits = thread::spawn(|| {
                let _writer = begin();
                csp::sleep(std::time::Duration::from_millis(1));
                std::process::exit(3);
            });
            exits.join().expect("it does not end");
        }
        // This `main` returns.
        _ => std::mem::forget(writer),
    }
}
