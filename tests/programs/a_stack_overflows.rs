//! A process needs more stack than it has, while another waits.

use csp::{Channel, Reader, parallel, process};
use csp_tests::backend;

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

fn main() {
    let never = Channel::new();
    let _writer = never.writer();
    let waiting = waits(never.reader()).on(backend());
    parallel!(waiting, descends(1 << 32).on(backend()));
    println!("main went on");
}
