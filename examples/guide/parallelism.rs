use std::collections::HashSet;
use std::thread::ThreadId;

use csp::{Channel, Reader, Writer, parallel, process};

#[process]
fn jobs(out: Writer<u64>) -> csp::Result {
    (0..100).try_for_each(|n| Ok(out.write(n)?))
}

fn work(n: u64) -> u64 {
    (0..20_000).fold(n, |x, i| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i))
}

/// Returns the threads that have done the work.
#[process]
fn in_turn(jobs: Reader<u64>) -> HashSet<ThreadId> {
    jobs.iter()
        .map(|n| {
            std::hint::black_box(work(n));
            std::thread::current().id()
        })
        .collect()
}

#[process]
fn at_once(jobs: Reader<u64>) -> HashSet<ThreadId> {
    let computed = |n| {
        csp::compute(|| {
            std::hint::black_box(work(n));
            std::thread::current().id()
        })
    };
    jobs.iter().map(computed).collect()
}

#[csp::main]
fn main() {
    let queue = Channel::new();
    let (_, threads) = parallel!(jobs(queue.writer()), 4 * in_turn(queue.reader()));
    let threads: HashSet<_> = threads.into_iter().flatten().collect();
    println!("four processes, and {} thread", threads.len());

    let queue = Channel::new();
    let (_, threads) = parallel!(jobs(queue.writer()), 4 * at_once(queue.reader()));
    let threads: HashSet<_> = threads.into_iter().flatten().collect();
    println!("done by threads of the pool: {}", !threads.contains(&std::thread::current().id()));
}
