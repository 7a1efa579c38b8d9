//! A million processes on one channel, after PyCSP's `1MillionProcesses.py`.
//!
//! ```text
//! main ── numbers ──▶ crowd: reader[0], reader[1], …, reader[999999]
//! ```
//!
//! Main writes a number for each reader. The process `crowd` runs all readers and adds up their results. On coroutines a
//! process that has not started costs no stack, and a process that ends hands its stack to the next. A thread is far
//! dearer, so without coroutines the default is a smaller number. With `--kind async` the readers are futures,
//! which have no stack at all. With `--live` all readers wait before the first number is written, also as futures.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use csp::{Channel, Reader, parallel, process, spawn};

const READERS: usize = if cfg!(feature = "coroutines") { 1_000_000 } else { 2_000 };

/// Starts very many processes and sends a number to each.
#[derive(Parser)]
struct Arguments {
    /// Processes to start
    #[arg(long, default_value_t = READERS)]
    readers: usize,
    /// Kind of the processes
    #[arg(long, value_enum, default_value_t = Kind::Stack)]
    kind: Kind,
    /// Start all of them before the first is served
    #[arg(long)]
    live: bool,
}

/// The kind of a process.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A function with a stack
    Stack,
    /// A future
    Async,
}

/// The number of readers that have not started yet.
static ABSENT: AtomicUsize = AtomicUsize::new(0);

#[process]
fn reader(numbers: Reader<u64>) -> csp::Result<u64> {
    ABSENT.fetch_sub(1, Ordering::Relaxed);
    numbers.read()
}

#[process]
async fn async_reader(numbers: Reader<u64>) -> csp::Result<u64> {
    ABSENT.fetch_sub(1, Ordering::Relaxed);
    numbers.read_async().await
}

#[process]
fn crowd(numbers: Reader<u64>, count: usize, kind: Kind) -> csp::Result<u64> {
    let read = match kind {
        Kind::Stack => parallel!(count * reader(numbers)).0,
        Kind::Async => parallel!(count * async_reader(numbers)).0,
    };
    read.into_iter().sum()
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { readers: count, kind, live } = Arguments::parse();
    ABSENT.store(count, Ordering::Relaxed);
    let start = Instant::now();

    let numbers = Channel::new();
    let crowd = spawn(crowd(numbers.reader(), count, kind));
    let numbers = numbers.writer();
    while live && ABSENT.load(Ordering::Relaxed) > 0 {
        csp::sleep(Duration::from_millis(1));
    }
    for number in 0..count {
        numbers.write(number as u64)?;
    }
    let sum = crowd.join()?;

    let elapsed = start.elapsed();
    println!("{count} readers read numbers that add up to {sum}");
    println!("{elapsed:.3?}{}", peak_memory());
    Ok(())
}

/// Returns the most memory this program ever had resident, if the system tells it (Linux).
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or_else(String::new, |kib| format!(", {} MiB at most", kib / 1024))
}
