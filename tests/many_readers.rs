//! How time grows with the number of readers on one channel: ten times as many should take ten
//! times as long.
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

/// So many readers, each reads one of so many values. Either all wait before the first write, each
/// with a stack of its own, or each starts when there is something to read.
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

fn compare(what: &str, few: usize, waiting: bool) {
    let many = 10 * few;
    serve(few, waiting); // makes the stacks that the measured rounds use again
    let (short, long) = (serve(few, waiting), serve(many, waiting));
    let ratio = long.as_secs_f64() / short.as_secs_f64();
    println!(
        "{what}: {few} readers {short:.1?}, {many} readers {long:.1?}, {ratio:.1} times as long"
    );
}

#[csp::main]
fn main() {
    if cfg!(feature = "coroutines") {
        compare("started when there is something to read", 10_000, false);
        compare("all waiting before the first write", 2_000, true);
    } else {
        compare("a thread for each", 100, true);
    }
}
