//! The sieve of Eratosthenes: a pipeline that grows while it runs.
//!
//! ```text
//! counter ─▶ sieve(2) ─▶ sieve(3) ─▶ sieve(5) ─▶ …          (each spawned by the one before)
//!                                           └─── primes ──▶ main
//! ```
//!
//! A sieve's first number is a prime. The sieve reports the prime, spawns the next sieve and gives it the end for reports.
//! Then it lets only the numbers through that its own prime does not divide.
//!
//! When main has enough primes it drops its end. The youngest sieve finds out when it reports, and returns.
//! So its neighbour's next write fails, and so on back to the counter.

use clap::Parser;
use csp::{Channel, Reader, Writer, process, spawn};

/// Prints prime numbers found by a growing pipeline of processes.
#[derive(Parser)]
struct Arguments {
    /// Primes to find, and so processes in the pipeline
    #[arg(long, default_value_t = 400)]
    primes: usize,
}

#[process]
fn counter(numbers: Writer<u64>) -> csp::Result {
    for number in 2.. {
        numbers.write(number)?;
    }
    Ok(())
}

#[process]
fn sieve(numbers: Reader<u64>, primes: Writer<u64>) -> csp::Result {
    let prime = numbers.read()?;
    primes.write(prime)?;

    let sieved = Channel::new();
    spawn(sieve(sieved.reader(), primes));
    let sieved = sieved.writer();
    loop {
        let number = numbers.read()?;
        if !number.is_multiple_of(prime) {
            sieved.write(number)?;
        }
    }
}

#[csp::main]
fn main() {
    let count = Arguments::parse().primes;

    let (numbers, primes) = (Channel::new(), Channel::new());
    spawn(counter(numbers.writer()));
    spawn(sieve(numbers.reader(), primes.writer()));

    let primes = primes.reader();
    for prime in primes.iter().take(count) {
        print!("{prime} ");
    }
    println!();
}
