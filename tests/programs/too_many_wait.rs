//! Starts more processes than there are stacks, and all of them wait.

use csp::{Channel, Reader, process, try_parallel};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[process]
fn waits(input: Reader<u32>, waiting: Arc<AtomicUsize>) {
    waiting.fetch_add(1, Ordering::Relaxed);
    let _ = input.read();
}

#[csp::main]
fn main() {
    let values = Channel::new();
    let _kept = values.writer();
    let waiting = Arc::new(AtomicUsize::new(0));
    let crowd = 40_000 * waits(values.reader(), waiting.clone());
    let failure = try_parallel!(crowd).expect_err("no stack for each");
    println!("{}", waiting.load(Ordering::Relaxed) >= 20_000);
    println!("{failure:#}");
    // All have ended, and there is room again.
    let again = Channel::new();
    drop(again.writer());
    let again = 10_000 * waits(again.reader(), waiting);
    println!("{}", try_parallel!(again).is_ok());
}
