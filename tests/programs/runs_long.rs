//! Two processes that compute for long, each many times, and one that communicates meanwhile.

use csp::{Channel, Reader, Writer, parallel, process};
use std::time::{Duration, Instant};

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[process]
fn computes(out: Writer<u32>) -> csp::Result {
    for n in 0..2 {
        spin(Duration::from_millis(300));
        out.write(n)?;
    }
    Ok(())
}

/// As long, but never at a time.
#[process]
fn talks(out: Writer<u32>) -> csp::Result {
    (0..300).try_for_each(|n| {
        spin(Duration::from_millis(1));
        Ok(out.write(n)?)
    })
}

#[process]
fn reads(input: Reader<u32>) -> usize {
    input.iter().count()
}

#[csp::main]
fn main() {
    let channel = Channel::new();
    let count = parallel!(
        talks(channel.writer()),
        2 * computes(channel.writer()),
        reads(channel.reader()),
    )
    .2;
    println!("{count}");
}
