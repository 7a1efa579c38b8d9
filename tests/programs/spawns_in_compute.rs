//! A job that a computation starts by `rayon::spawn` goes on after the computation has ended, and then wakes a process.

use csp::{Channel, Reader, Writer, process, try_parallel};
use std::time::{Duration, Instant};

/// Keeps the only thread of the pool asleep, so that a stand-in does the next computation.
#[process]
fn occupies(at: Writer<()>, until: Reader<()>) -> bool {
    csp::compute(|| at.write(()).is_ok() && until.read().is_ok())
}

#[process]
fn leaves(at: Reader<()>, until: Writer<()>, out: Writer<u32>) {
    at.read().unwrap();
    csp::compute(move || {
        rayon::spawn(move || {
            // Meanwhile the watch looks often.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(300) {
                std::hint::spin_loop();
            }
            println!("{}", out.write(7).is_ok());
            drop(until);
        });
    });
}

#[process]
fn waits(input: Reader<u32>) -> Option<u32> {
    input.read().ok()
}

#[csp::main]
fn main() {
    let (at, until, values) = (Channel::new(), Channel::new(), Channel::new());
    let occupies = occupies(at.writer(), until.reader());
    let leaves = leaves(at.reader(), until.writer(), values.writer());
    let waits = waits(values.reader());
    drop((at, until, values));
    println!("{:?}", try_parallel!(occupies, leaves, waits).map(|(_, _, value)| value));
}
