//! A steady flow out of an unsteady one, after JCSP's `Regulate`.
//!
//! ```text
//! sensor ── readings ──▶ regulator ── steady ──▶ display
//!                            ▲
//! dial ────── periods ───────┘
//! ```
//!
//! Once a period the regulator passes on the latest reading. If readings come faster, it leaves out all except the last. If
//! none comes, it repeats the latest. Here the sensor is first fast, then slow, and the dial turns while
//! it runs. The regulator is a single alternation by priority. A turn of the dial comes first, and the clock before
//! the input, so that no sensor, however fast, can hold up the beat.

use std::time::{Duration, Instant};

use clap::Parser;
use csp::{Channel, Reader, Writer, every, parallel, pri_alt, process};

/// Regulates a flow of readings that is too fast first, and then too slow.
#[derive(Parser)]
struct Arguments {
    /// Readings that come once a millisecond
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    fast: u32,
    /// Readings that come every 200 milliseconds, after the fast ones
    #[arg(long, default_value_t = 4)]
    slow: u32,
    /// Milliseconds between two readings that are passed on, until the dial halves them
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..))]
    period: u64,
}

#[process]
fn sensor(readings: Writer<u32>, fast: u32, slow: u32) -> csp::Result {
    for reading in 1..=fast {
        csp::sleep(Duration::from_millis(1));
        readings.write(reading)?;
    }
    for reading in fast + 1..=fast + slow {
        csp::sleep(Duration::from_millis(200));
        readings.write(reading)?;
    }
    Ok(())
}

#[process]
fn dial(periods: Writer<Duration>, turn: Duration, to: Duration) -> csp::Result {
    csp::sleep(turn);
    Ok(periods.write(to)?)
}

/// Returns how many readings it has read.
#[process]
fn regulator<T: Clone + Send + 'static>(
    input: Reader<T>,
    output: Writer<T>,
    periods: Reader<Duration>,
    period: Duration,
) -> csp::Result<u32> {
    let mut latest = input.read()?;
    let mut read = 1;
    let mut beat = every(period);
    loop {
        pri_alt! {
            period = periods.read() => beat = every(period),
            at(beat.due()) => {
                beat.advance();
                output.write(latest.clone())?;
            }
            value = input.read() => {
                latest = value;
                read += 1;
            }
            retired(input) => return Ok(read),
        }?;
    }
}

/// Returns how many readings it has shown.
#[process]
fn display(readings: Reader<u32>) -> usize {
    let start = Instant::now();
    readings
        .iter()
        .inspect(|reading| println!("{:5} ms: reading {reading}", start.elapsed().as_millis()))
        .count()
}

#[csp::main]
fn main() -> csp::Result {
    let Arguments { fast, slow, period } = Arguments::parse();
    let period = Duration::from_millis(period);

    let (readings, periods, steady) = (Channel::new(), Channel::new(), Channel::new());
    let (_, _, read, shown) = parallel!(
        sensor(readings.writer(), fast, slow),
        dial(periods.writer(), 10 * period, period / 2),
        regulator(readings.reader(), steady.writer(), periods.reader(), period),
        display(steady.reader()),
    );
    println!("{} readings came in, {shown} went out", read?);
    Ok(())
}
