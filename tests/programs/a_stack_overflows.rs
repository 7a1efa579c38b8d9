//! A process needs more stack than it has, while another waits.

use csp::{Backend, Channel, Reader, parallel, process};

#[process]
fn descends(depth: u64) -> u64 {
    fn descend(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if depth == 0 { 0 } else { descend(depth - 1) + frame[(depth % 64) as usize] }
    }
    descend(depth)
}

#[process]
fn waits(input: Reader<u32>) {
    let _ = input.read();
    println!("the other went on");
}

fn backend() -> Backend {
    match std::env::args().nth(1).as_deref() {
        Some("thread") => Backend::Thread,
        _ => Backend::Coroutine,
    }
}

fn main() {
    let never = Channel::new();
    let _writer = never.writer();
    let waiting = waits(never.reader()).on(backend());
    parallel!(waiting, descends(1 << 32).on(backend()));
    println!("main went on");
}
