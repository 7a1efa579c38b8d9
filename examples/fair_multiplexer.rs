//! Many inputs merged into one output, fairly and by priority, after JCSP's `FairPlex` and `PriPlex`.
//!
//! ```text
//! source(a) ─▶┐
//! source(b) ─▶┼─ multiplexer ── merged ──▶ text
//! source(c) ─▶┤
//!      …      ┘
//! ```
//!
//! The number of inputs is known only when the program runs, so the choice is an `Alternation`. A guard is
//! added once for each input, and then the alternation chooses round after round. The sources have filled their channels
//! and ended before the merge begins. So all inputs are ready all the time, and the choice alone decides the order.
//! The fair choice serves every source before it serves one twice. By priority the first source comes first as long
//! as it has values. The last source, which has only three letters of the alphabet to send, waits for all the others.

use clap::Parser;
use csp::{Alternation, Channel, Reader, Writer, parallel, process, sequence};

/// Merges inputs fairly, then by priority, and prints the output.
#[derive(Parser)]
struct Arguments {
    /// Inputs to merge
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=26))]
    inputs: u8,
    /// Letters from each input except the last, which has three
    #[arg(long, default_value_t = 12)]
    letters: usize,
}

#[process]
fn source(output: Writer<char>, letter: char, count: usize) -> csp::Result {
    for _ in 0..count {
        output.write(letter)?;
    }
    Ok(())
}

/// Goes on until all inputs have ended. An input that has ended is left out of the choice.
#[process]
fn multiplexer<T: Send + 'static>(
    inputs: Vec<Reader<T>>,
    merged: Writer<T>,
    fair: bool,
) -> csp::Result {
    let mut choice = if fair { Alternation::new() } else { Alternation::by_priority() };
    for input in inputs {
        choice.read(input, |value| value);
    }
    loop {
        merged.write(choice.choose()?)?;
    }
}

#[process]
fn text(letters: Reader<char>) -> String {
    letters.iter().collect()
}

fn merge(inputs: u8, letters: usize, fair: bool) -> String {
    let (mut sources, mut readers) = (Vec::new(), Vec::new());
    for input in 0..inputs {
        let count = if input + 1 == inputs { 3 } else { letters };
        let channel = Channel::buffered(count);
        readers.push(channel.reader());
        sources.push(source(channel.writer(), char::from(b'a' + input), count));
    }
    sequence!(sources);

    let merged = Channel::new();
    let (_, text) = parallel!(multiplexer(readers, merged.writer(), fair), text(merged.reader()));
    text
}

#[csp::main]
fn main() {
    let Arguments { inputs, letters } = Arguments::parse();
    println!("fair:        {}", merge(inputs, letters, true));
    println!("by priority: {}", merge(inputs, letters, false));
}
