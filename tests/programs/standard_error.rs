//! Standard error is locked, or its pipe is full, while the library and OS processes have messages for it. The second
//! argument names the event that happens meanwhile. The outcome goes to standard output.

use std::io::Write;
use std::process::exit;

use csp::{Channel, Reader, Writer, multiprocess, parallel, process, try_parallel};
use csp_tests::backend;

#[process]
fn polite(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    output.write(input.read()?)?;
    Ok(())
}

/// Runs two processes that wait for each other.
fn deadlock() -> bool {
    let (one, other) = (Channel::new(), Channel::new());
    let first = polite(one.reader(), other.writer()).on(backend());
    let second = polite(other.reader(), one.writer()).on(backend());
    drop((one, other));
    try_parallel!(first, second).is_err_and(|failure| failure.deadlock().is_some())
}

#[multiprocess]
fn talks(lines: u32) -> u32 {
    for line in 0..lines {
        eprintln!("line {line} of {:?}", csp::current().path());
    }
    lines
}

#[multiprocess]
fn panics() {
    panic!("a panic elsewhere");
}

#[multiprocess]
fn is_silent() -> u32 {
    7
}

#[process]
fn holds() -> u32 {
    let _held = std::io::stderr().lock();
    parallel!(talks(3)).0
}

fn happens(what: &str) -> bool {
    match what {
        "deadlock" => deadlock(),
        "talks" => parallel!(talks(3)).0 == 3,
        // This is more than any queue holds.
        "talks-long" => parallel!(2 * talks(50_000)).0 == [50_000, 50_000],
        "panics" => {
            try_parallel!(panics()).is_err_and(|failure| failure.message() == "a panic elsewhere")
        }
        "later" => {
            parallel!(2 * talks(3), 2 * is_silent()).1 == [7, 7] && parallel!(is_silent()).0 == 7
        }
        "holds" => parallel!(holds().on(backend())).0 == 3,
        _ => panic!("{what}?"),
    }
}

#[csp::main]
fn main() {
    let mut arguments = std::env::args().skip(2);
    let (how, what) = (arguments.next(), arguments.next());
    let what = what.as_deref().expect("what happens");
    match how.as_deref() {
        // The lock is released after the event.
        Some("locked") => {
            let held = std::io::stderr().lock();
            println!("{}", happens(what));
            drop(held);
        }
        Some("for-ever") => {
            let held = std::io::stderr().lock();
            println!("{}", happens(what));
            std::mem::forget(held);
        }
        Some("exit") => {
            println!("{}", happens(what));
            let _ = std::io::stdout().flush();
            exit(3);
        }
        Some("abort") => {
            println!("{}", happens(what));
            let _ = std::io::stdout().flush();
            std::process::abort();
        }
        _ => println!("{}", happens(what)),
    }
}
