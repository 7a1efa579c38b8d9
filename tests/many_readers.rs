//! Prints how time grows with the number of readers on one channel. Ten times as many should take ten
//! times as long, except for data that the processor's caches no longer hold.
//!
//! `cargo run --release -p csp-tests --example many_readers`

use csp::{Channel, Reader, parallel, process, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[process]
fn reader(input: Reader<usize>, arrived: Arc<AtomicUsize>) -> csp::Result<usize> {
    arrived.fetch_add(1, Ordering::Relaxed);
    input.read()
}

#[process]
fn pass() {}

/// Runs `count` readers, and each reads one of `count` values. Either all wait before the first write, each
/// with a stack of its own, or each starts when there is a value to read.
fn serve(count: usize, waiting: bool) -> Duration {
    let (values, arrived) = (Channel::new(), Arc::<AtomicUsize>::default());
    let readers = spawn(count * reader(values.reader(), arrived.clone()));
    if waiting {
        while arrived.load(Ordering::Relaxed) < count {
            parallel!(pass());
        }
    }
    let start = Instant::now();
    let writer = values.writer();
    for value in 0..count {
        writer.write(value).expect("a reader for each");
    }
    let sum: usize =
        readers.into_iter().map(|reader| reader.join().expect("a value for each")).sum();
    assert_eq!(sum, count * (count - 1) / 2);
    start.elapsed()
}

/// Prints the time of one reader, which is at each size the shortest of five rounds.
fn grow(what: &str, counts: &[usize], waiting: bool) {
    println!("{what}:");
    let mut first = None;
    for &count in counts {
        serve(count, waiting); // makes the stacks that the others use again
        let best = (0..5).map(|_| serve(count, waiting)).min().expect("five rounds");
        let (few, short) = *first.get_or_insert((count, best));
        let (times, long) = (count / few, best.as_secs_f64() / short.as_secs_f64());
        let each = best.as_nanos() / count as u128;
        println!(
            "{count:>9} readers: {each:>5} ns each, {times:>2} times as many, {long:>5.1} times as long"
        );
    }
}

#[csp::main]
fn main() {
    if cfg!(feature = "coroutines") {
        let counts = [10_000, 30_000, 100_000, 300_000];
        grow("started when there is something to read", &counts, false);
        // The engine `generator` has only 30,000 stacks.
        let has_many = csp_tests::ENGINES.contains(&"slab");
        let counts = if has_many { &counts[..] } else { &[1_000, 5_000, 25_000] };
        grow("all waiting before the first write", counts, true);
    } else {
        grow("a thread for each", &[100, 300, 1_000], true);
    }
}
