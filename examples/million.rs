//! A million processes on one channel, after PyCSP's `1MillionProcesses.py`.
//!
//! ```text
//! main ── numbers ──▶ crowd: reader[0], reader[1], …, reader[999999]
//! ```
//!
//! Main writes a number for each reader; the crowd runs them all and adds up what they return. On coroutines a
//! process that has not started costs no stack, and one that ends hands its stack to the next. A thread is far
//! dearer, so without coroutines fewer are asked for unless you say otherwise.

use std::fs;
use std::time::Instant;

use clap::Parser;
use csp::{Channel, Reader, parallel, process, spawn};

const READERS: usize = if cfg!(feature = "coroutines") { 1_000_000 } else { 2_000 };

/// Starts very many processes and sends a number to each.
#[derive(Parser)]
struct Arguments {
    /// How many
    #[arg(long, default_value_t = READERS)]
    readers: usize,
}

#[process]
fn reader(numbers: Reader<u64>) -> csp::Result<u64> {
    numbers.read()
}

#[process]
fn crowd(numbers: Reader<u64>, count: usize) -> csp::Result<u64> {
    let (read,) = parallel!(count * reader(numbers));
    read.into_iter().sum()
}

#[csp::main]
fn main() -> csp::Result {
    let count = Arguments::parse().readers;
    let start = Instant::now();

    let numbers = Channel::new();
    let crowd = spawn(crowd(numbers.reader(), count));
    let numbers = numbers.writer();
    for number in 0..count {
        numbers.write(number as u64)?;
    }
    let sum = crowd.join()?;

    let elapsed = start.elapsed();
    println!("{count} readers read numbers that add up to {sum}");
    println!("{elapsed:.3?}{}", peak_memory());
    Ok(())
}

/// The most memory this program ever had resident, where the system tells (Linux).
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or_else(String::new, |kib| format!(", {} MiB at most", kib / 1024))
}
