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
//!
//! `--hosts node1,node2` runs the workers on other machines, which `ssh` reaches. The workers are the same.

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
    /// Hosts of the workers, which `ssh` reaches: node1,node2
    #[cfg(feature = "hosts")]
    #[arg(long, value_delimiter = ',', conflicts_with = "on")]
    hosts: Vec<String>,
    /// Runs the workers on the hosts that `CSP_HOSTS`, SLURM or PBS list
    #[cfg(feature = "hosts")]
    #[arg(long, conflicts_with_all = ["on", "hosts"])]
    listed_hosts: bool,
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

/// Returns the hosts that are asked for.
#[cfg(feature = "hosts")]
fn hosts(arguments: &Arguments) -> Option<csp::Hosts> {
    if arguments.listed_hosts {
        let hosts = csp::Hosts::from_env();
        return Some(hosts.unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(2)
        }));
    }
    (!arguments.hosts.is_empty()).then(|| csp::Hosts::ssh(&arguments.hosts))
}

#[csp::main]
fn main() {
    let arguments = Arguments::parse();
    let Arguments { bags, darts, workers, on, .. } = arguments;

    let (jobs, results) = (Channel::new(), Channel::new());
    let farm = workers * worker(jobs.reader(), results.writer(), darts).on(on);
    #[cfg(feature = "hosts")]
    let farm = match hosts(&arguments) {
        Some(hosts) => farm.at(&hosts),
        None => farm,
    };
    let (_, _, hits) =
        parallel!(producer(jobs.writer(), bags), farm, consumer(results.reader(), bags));

    let thrown = bags as f64 * darts as f64;
    let share = hits as f64 / thrown;
    let error = 4.0 * (share * (1.0 - share) / thrown).sqrt();
    println!("π ≈ {:.4} ± {error:.4}", 4.0 * share);
}
