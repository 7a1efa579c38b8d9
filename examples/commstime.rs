//! The cost of a communication, measured by occam's benchmark, which every CSP library since has used.
//!
//! ```text
//!           ┌────────── a ─────────┐
//!           │                      ▼
//!     prefix(0)                  delta ── d ──▶ consumer
//!           ▲                      │
//!           c                      b
//!           └───── successor ◀─────┘
//! ```
//!
//! The numbers 0, 1, 2, … go round: `prefix` starts with 0, and `successor` adds 1. Each turn is four communications (a, b, c, d).
//! A quarter of the time of a turn is the time of one communication, both changes of process included.
//! `delta` writes its two outputs one after the other, as in the classic form of the benchmark. `plug::delta2`
//! offers both at once and so does more. `prefix` and `successor` are those of `plug`, restricted to numbers. A process that
//! may run in another OS process needs types that can be serialised.
//!
//! The consumer stops everything by returning. Its end retires, so the next write to it fails, and so on round the ring.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use csp::{Backend, Channel, Reader, Writer, multiprocess, parallel};

/// Prints nanoseconds per communication on each backend compiled in.
#[derive(Parser)]
struct Arguments {
    /// Seconds to measure on each backend
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

#[multiprocess]
fn prefix(input: Reader<u64>, output: Writer<u64>, first: u64) -> csp::Result {
    output.write(first)?;
    loop {
        output.write(input.read()?)?;
    }
}

#[multiprocess]
fn successor(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    loop {
        output.write(input.read()? + 1)?;
    }
}

#[multiprocess]
fn delta(input: Reader<u64>, first: Writer<u64>, second: Writer<u64>) -> csp::Result {
    loop {
        let value = input.read()?;
        first.write(value)?;
        second.write(value)?;
    }
}

/// Loops for a while and returns how long one turn took, in nanoseconds.
#[multiprocess]
fn consumer(numbers: Reader<u64>, duration: Duration) -> csp::Result<f64> {
    const BATCH: u64 = 1_000; // between two looks at the clock
    for _ in 0..BATCH {
        numbers.read()?;
    }
    let start = Instant::now();
    let mut loops = 0;
    loop {
        for _ in 0..BATCH {
            numbers.read()?;
        }
        loops += BATCH;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return Ok(elapsed.as_nanos() as f64 / loops as f64);
        }
    }
}

fn communication(backend: Backend, duration: Duration) -> csp::Result<f64> {
    let (a, b, c, d) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
    let (_, _, _, turn) = parallel!(
        prefix(c.reader(), a.writer(), 0).on(backend),
        delta(a.reader(), b.writer(), d.writer()).on(backend),
        successor(b.reader(), c.writer()).on(backend),
        consumer(d.reader(), duration).on(backend),
    );
    Ok(turn? / 4.0)
}

#[csp::main]
fn main() -> csp::Result {
    let duration = Arguments::parse().seconds;
    let backends = [
        (Backend::Coroutine, cfg!(feature = "coroutines")),
        (Backend::Thread, cfg!(feature = "threads")),
        (Backend::Subprocess, cfg!(feature = "subprocess")),
    ];
    for (backend, compiled_in) in backends {
        if compiled_in {
            let time = communication(backend, duration)?;
            println!("{backend:?}: {time:.1} ns per communication");
        }
    }
    Ok(())
}
