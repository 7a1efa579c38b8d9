//! Prints by how many KiB ten thousand threads, run one after another, have made the program grow.

use csp::{Channel, Reader, parallel, process, spawn};
use csp_tests::backend;
use std::thread;

#[process]
fn idles() {}

#[process(daemon)]
fn reads(input: Reader<u32>) {
    for _ in &input {}
}

fn come_and_go(threads: usize) {
    for _ in 0..threads {
        let comes = thread::spawn(|| {
            let values = Channel::new();
            let _writer = values.writer();
            drop(spawn(reads(values.reader()).on(backend())));
            parallel!(idles().on(backend()));
        });
        comes.join().expect("it ends well");
    }
}

fn resident() -> i64 {
    let memory = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = memory.split(' ').nth(1).expect("the resident pages");
    pages.parse::<i64>().expect("a number") * 4
}

fn main() {
    come_and_go(1_000);
    let before = resident();
    come_and_go(10_000);
    println!("{}", resident() - before);
}
