//! OS processes started by a bench, which is a plain program: its `main` has no `#[csp::main]`. `cargo test` runs it, too.

use std::time::Instant;

use csp::{Channel, Reader, multiprocess, spawn};

#[multiprocess]
fn reads(input: Reader<u64>) -> (u32, u64) {
    (std::process::id(), input.iter().sum())
}

fn main() {
    const COUNT: u64 = 1_000;
    let values = Channel::new();
    let child = spawn(reads(values.reader()));
    let output = values.writer();
    let began = Instant::now();
    (0..COUNT).for_each(|n| output.write(n).expect("a reader"));
    let each = began.elapsed().as_nanos() / u128::from(COUNT);
    drop((values, output));
    let (there, sum) = child.join();
    assert_ne!(there, std::process::id());
    assert_eq!(sum, COUNT * (COUNT - 1) / 2);
    println!("a communication with another OS process: {each} ns");
}
