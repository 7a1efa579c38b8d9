//! Fibonacci's numbers out of ready-made processes only.
//!
//! ```text
//! prefix(1) ─ d ─▶ prefix(0) ─ a ─▶ delta2 ─ numbers ─▶ main
//!     ▲                               │
//!     └───────── c ─── pairs ◀── b ───┘
//! ```
//!
//! The stream is 0, 1, and then the sums of its own neighbours. `pairs` adds each number to the one before it, and the
//! two prefixes supply the first two. The network is JCSP's `FibonacciInt`, by way of PyCSP's `Fibonacci.py`.

use clap::Parser;
use csp::{Channel, plug, spawn};

/// Prints Fibonacci's numbers.
#[derive(Parser)]
struct Arguments {
    /// Numbers to print (the 187th does not fit into 128 bits, and the network works a few ahead)
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(..=180))]
    count: u16,
}

#[csp::main]
fn main() {
    let count = Arguments::parse().count;

    let (a, b, c, d) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
    let numbers = Channel::<u128>::new();
    spawn(plug::prefix(c.reader(), d.writer(), 1));
    spawn(plug::prefix(d.reader(), a.writer(), 0));
    spawn(plug::delta2(a.reader(), b.writer(), numbers.writer()));
    spawn(plug::pairs(b.reader(), c.writer()));

    let numbers = numbers.reader();
    for number in numbers.iter().take(count.into()) {
        println!("{number}");
    }
}
