//! π by throwing darts: a farm of workers, and the first network to read.
//!
//! ```text
//!                     ┌─▶ worker[0] ─┐
//! producer ── jobs ───┼─▶ worker[1] ─┼─── results ──▶ consumer
//!                     └─▶    …      ─┘
//! ```
//!
//! A dart thrown at a square hits the quarter of a circle in it with probability π/4. The producer writes the
//! numbers of the bags of darts. A free worker reads one, throws that bag and writes its hits. The consumer adds them
//! up. No process counts workers or sends an end mark. When the producer returns, its end of `jobs` retires. Then every
//! worker's next read fails, so the worker returns, and `results` retires in turn.
//!
//! A worker is a `#[multiprocess]`: by default it would run in an OS process of its own. `--on` chooses its backend. Here that is every
//! core, by the feature `cores` of the library. `CSP_CORES=1` in the environment is one core.

use clap::Parser;
use csp::{Backend, Channel, Reader, Writer, multiprocess, parallel, process};
use indicatif::ProgressBar;

/// Estimates π with a farm of workers.
#[derive(Parser)]
struct Arguments {
    /// Bags of darts to throw
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    bags: u64,
    /// Darts in a bag
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    darts: u64,
    /// Workers that throw the darts
    #[arg(long, default_value_t = 10)]
    workers: usize,
    /// Backend of a worker: coroutine, cores, thread or subprocess
    #[arg(long, default_value_t = all_cores())]
    on: Backend,
}

#[process]
fn producer(jobs: Writer<u64>, bags: u64) -> csp::Result {
    for bag in 0..bags {
        jobs.write(bag)?;
    }
    Ok(())
}

#[multiprocess]
fn worker(jobs: Reader<u64>, results: Writer<u64>, darts: u64) -> csp::Result {
    loop {
        results.write(hits(jobs.read()?, darts))?;
    }
}

// The bar draws itself on a terminal and nowhere else.
#[process]
fn consumer(results: Reader<u64>, bags: u64) -> u64 {
    ProgressBar::new(bags).wrap_iter(results.iter()).sum()
}

/// Counts the darts of a bag that hit the circle. The result depends on the bag only, not on the worker.
fn hits(bag: u64, darts: u64) -> u64 {
    const RADIUS: f64 = (1_u64 << 32) as f64;
    let mut state = bag;
    let mut hits = 0;
    for _ in 0..darts {
        let dart = split_mix(&mut state);
        let (x, y) = ((dart >> 32) as f64, (dart as u32) as f64);
        hits += u64::from(x * x + y * y < RADIUS * RADIUS);
    }
    hits
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the backend that uses every core, or the usual one in a build without it.
fn all_cores() -> Backend {
    if Backend::Cores.is_compiled_in() { Backend::Cores } else { Backend::Coroutine }
}

#[csp::main]
fn main() {
    let Arguments { bags, darts, workers, on } = Arguments::parse();

    let (jobs, results) = (Channel::new(), Channel::new());
    let (_, _, hits) = parallel!(
        producer(jobs.writer(), bags),
        workers * worker(jobs.reader(), results.writer(), darts).on(on),
        consumer(results.reader(), bags),
    );

    let thrown = bags as f64 * darts as f64;
    let share = hits as f64 / thrown;
    let error = 4.0 * (share * (1.0 - share) / thrown).sqrt();
    println!("π ≈ {:.4} ± {error:.4}", 4.0 * share);
}
