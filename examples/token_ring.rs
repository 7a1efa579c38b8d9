//! A token that goes round a ring: a chain of processes made in a loop.
//!
//! ```text
//! ┌─▶ station[0] ─▶ station[1] ─▶ … ─▶ head ─┐
//! └──────────────────────────────────────────┘
//! ```
//!
//! Every station passes on the number that it reads, plus one. The process `head` puts the token in and takes it out after each
//! cycle. At last it keeps the token. Then the ring ends station by station, because each one retires its neighbour.

use std::time::Instant;

use clap::Parser;
use csp::{Channel, Reader, Writer, parallel, plug, process};

/// Sends a token round a ring of processes.
#[derive(Parser)]
struct Arguments {
    /// Processes in the ring
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..))]
    processes: u16,
    /// Times that the token goes round
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    cycles: u64,
}

#[process]
fn head(from: Reader<u64>, to: Writer<u64>, cycles: u64) -> csp::Result<u64> {
    let mut token = 0;
    for _ in 0..cycles {
        to.write(token + 1)?;
        token = from.read()?;
    }
    Ok(token)
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { processes, cycles } = Arguments::parse();
    let start = Instant::now();

    let links = usize::from(processes) * Channel::new();
    let stations: Vec<_> = links
        .windows(2)
        .map(|link| plug::successor(link[0].reader(), link[1].writer()).named("station"))
        .collect();
    let (first, last) = (&links[0], &links[links.len() - 1]);
    let (_, hops) = parallel!(stations, head(last.reader(), first.writer(), cycles));
    let hops = hops?;

    let hop = start.elapsed().as_nanos() as f64 / hops as f64;
    println!("{hops} hops round {processes} processes, {hop:.0} ns each");
    Ok(())
}
