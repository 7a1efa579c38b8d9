//! Chains of parents. A process far down needs more stack than it has, or panics. Each of some daemons starts the next and ends.

use csp::{Channel, Reader, Writer, parallel, process, spawn};
use csp_tests::backend;

#[process]
fn descends(more: u32) {
    if more > 0 {
        parallel!(descends(more - 1).on(backend()));
        return;
    }
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if depth == 0 { 0 } else { deeper(depth - 1) + frame[(depth % 64) as usize] }
    }
    deeper(1 << 32);
}

#[process]
fn panics(below: u32) {
    if below == 0 {
        panic!("out of tea");
    }
    parallel!(panics(below - 1).on(backend()));
}

#[process]
fn relays(more: u32, last: Writer<String>) -> csp::Result {
    if more == 0 {
        return Ok(last.write(csp::current().path().to_owned())?);
    }
    drop(spawn(relays(more - 1, last).on(backend()).daemon()));
    Ok(())
}

#[process]
fn waits(last: Reader<String>) -> csp::Result<String> {
    last.read()
}

/// Returns the number of resident pages of the program.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number")
}

fn generations(count: u32) -> u64 {
    let channel = Channel::new();
    let (first, last) = (relays(count, channel.writer()), waits(channel.reader()));
    drop(channel);
    drop(spawn(first.on(backend()).daemon()));
    let (path,) = parallel!(last.on(backend()));
    println!("{}", path.expect("the last one writes"));
    resident()
}

fn main() {
    if std::env::args().any(|argument| argument == "relay") {
        let before = generations(2_000);
        let after = generations(22_000);
        println!("{}", if after < before + 2_048 { "flat" } else { "grows" });
    } else if let Some(below) = std::env::args().find_map(|argument| argument.parse().ok()) {
        parallel!(panics(below).on(backend()));
    } else {
        parallel!(descends(1_500).on(backend()));
        println!("main went on");
    }
}
