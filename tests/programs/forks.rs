//! Uses the library, and then makes a copy of itself by `fork`, which uses it again. Prints how the copy has ended.
#![allow(unsafe_code)]

use csp::{Backend, Channel, Reader, Writer, multiprocess, process, try_parallel};

#[process]
fn source(output: Writer<u32>) -> csp::Result {
    for number in 0..10 {
        output.write(number)?;
    }
    Ok(())
}

#[process]
fn sum(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

#[process]
fn polite(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    output.write(input.read()?)?;
    Ok(())
}

#[process]
fn calls() -> u32 {
    csp::io(|| 5)
}

#[process]
fn computes() -> u32 {
    csp::compute(|| 6)
}

#[multiprocess]
fn away(n: u32) -> u32 {
    n + 1
}

fn network(backend: Backend) -> bool {
    let numbers = Channel::new();
    let source = source(numbers.writer()).on(backend);
    let sum = sum(numbers.reader()).on(backend);
    drop(numbers);
    try_parallel!(source, sum).is_ok_and(|(_, sum)| sum == 45)
}

fn deadlock() -> bool {
    let (one, other) = (Channel::new(), Channel::new());
    let first = polite(one.reader(), other.writer());
    let second = polite(other.reader(), one.writer());
    drop((one, other));
    try_parallel!(first, second).is_err_and(|failure| failure.deadlock().is_some())
}

fn works(what: &str, in_copy: bool) -> bool {
    match what {
        "coroutines" => network(Backend::Coroutine),
        "threads" => network(Backend::Thread),
        "deadlock" => deadlock(),
        "io" => try_parallel!(calls()).is_ok_and(|(n,)| n == 5),
        "compute" => try_parallel!(computes()).is_ok_and(|(n,)| n == 6),
        "away" if in_copy => {
            try_parallel!(away(1)).is_err_and(|failure| failure.message().contains("a copy"))
        }
        "away" => try_parallel!(away(1)).is_ok_and(|(n,)| n == 2),
        _ => panic!("{what}?"),
    }
}

#[csp::main]
fn main() {
    let what = std::env::args().nth(1).expect("what it uses");
    assert!(works(&what, false));
    // SAFETY: in the copy only this thread goes on. The test checks that the library allows that.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // SAFETY: both calls concern this OS process alone. They end a copy that hangs.
        unsafe {
            libc::alarm(300);
            libc::_exit(if works(&what, true) { 7 } else { 1 });
        }
    }
    let mut status = 0;
    // SAFETY: this waits for the copy, and nothing else does.
    unsafe { libc::waitpid(copy, &raw mut status, 0) };
    println!("copy: {}, original: {}", libc::WEXITSTATUS(status), works(&what, false));
}
