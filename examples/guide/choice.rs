use std::collections::VecDeque;
use std::time::Duration;

use csp::{Channel, Reader, Writer, alt, parallel, pri_alt, process};

#[process]
fn producer(out: Writer<u32>) -> csp::Result {
    (0..6).try_for_each(|n| Ok(out.write(n)?))
}

/// Keeps up to `size` values for a late reader. Reads or writes, depending on which is ready.
#[process]
fn store(input: Reader<u32>, out: Writer<u32>, size: usize) -> csp::Result {
    let mut held = VecDeque::new();
    loop {
        let next = held.front().copied().unwrap_or_default();
        alt! {
            if held.len() < size, n = input.read() => held.push_back(n),
            if !held.is_empty(), out.write(next)   => { held.pop_front(); }
            if held.is_empty(), retired(input)     => return Ok(()),
        }?;
    }
}

#[process]
fn consumer(input: Reader<u32>) -> Vec<u32> {
    input.iter().collect()
}

/// Works until it is told to stop. The stop has priority.
#[process]
fn worker(stop: Reader<()>, jobs: Reader<u32>) -> u32 {
    let mut done = 0;
    loop {
        let go_on = pri_alt! {
            stop.read()                    => false,
            n = jobs.read()                => { done += n; true }
            after(Duration::from_secs(60)) => false,
        };
        if go_on != Ok(true) {
            return done;
        }
    }
}

#[csp::main]
fn main() {
    let (early, late) = (Channel::new(), Channel::new());
    let (_, _, values) = parallel!(
        producer(early.writer()),
        store(early.reader(), late.writer(), 3),
        consumer(late.reader()),
    );
    println!("{values:?}");

    // A retired guard is left out. When no guard is left, the choice ends.
    let (stop, jobs) = (Channel::new(), Channel::new());
    let never_stopped = stop.reader();
    drop(stop);
    let (_, done) = parallel!(producer(jobs.writer()), worker(never_stopped, jobs.reader()));
    println!("{done}");
}
