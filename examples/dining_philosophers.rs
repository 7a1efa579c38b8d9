//! Five philosophers round a table: choice with outputs as guards, after PyCSP's `Dining-Phil.py`.
//!
//! ```text
//!  place[i] ── left[i] ──▶ philosopher[i] ◀── right[i] ── place[i + 1]          (five of each, in a ring)
//!      ▲                    │   ▲    │  │                      ▲
//!      └───── back[i] ──────┘   │    │  └───── back[i + 1] ────┘
//!                        chairs │    ▼ stood
//!                              butler
//! ```
//!
//! A fork is a value, so only one process has it. Its place offers it to both neighbours at once, in
//! one alternation of two outputs. The fork moves to the neighbour that reads first. The other neighbour has been offered nothing.
//!
//! Each philosopher takes the left fork, and with it in hand reaches for the right one (Dijkstra's problem, 1965). If all
//! five did so at once, each would wait for ever for a fork that a neighbour holds. So there is a butler (Hoare's
//! footman). He offers a chair only while fewer than four are taken: that is an output with a precondition. He reads a
//! message when a philosopher stands up: that is an input. Both are guards of one alternation.
//!
//! `--deadlock` dismisses the butler. Once each philosopher holds one fork, none will ever move again. The library detects that. Its
//! report says where each process waits, for which channel, and which process could wake it. It poisons them all with the report,
//! which `try_parallel!` returns.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use clap::Parser;
use csp::{Channel, Reader, Writer, alt, process, try_parallel};

/// Shows five philosophers that think and eat, a line for each change.
#[derive(Parser)]
struct Arguments {
    /// Meals of each philosopher
    #[arg(long, default_value_t = 10)]
    meals: u32,
    /// Dismisses the butler and lets them eat until each holds one fork
    #[arg(long, conflicts_with = "meals")]
    deadlock: bool,
}

const PHILOSOPHERS: usize = 5;
const THINKING: Duration = Duration::from_millis(60); // at most
const REACHING: Duration = Duration::from_millis(10); // from one fork to the other
const EATING: Duration = Duration::from_millis(40); // at most

struct Fork;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Thinks,
    IsHungry,
    HasOneFork,
    Eats,
}

/// A philosopher's view of a fork's place: the end to take it from, and the end to put it back.
type Place = (Reader<Fork>, Writer<Fork>);

/// A philosopher's view of the butler: the end for a chair, and the end that reports a chair left.
type Butler = (Reader<()>, Writer<()>);

#[process]
fn place(
    mut fork: Fork,
    to_left: Writer<Fork>,
    to_right: Writer<Fork>,
    back: Reader<Fork>,
) -> csp::Result {
    loop {
        alt! {
            to_left.write(fork)  => {}
            to_right.write(fork) => {}
        }?;
        fork = back.read()?;
    }
}

#[process]
fn butler(chairs: Writer<()>, stood: Reader<()>) -> csp::Result {
    let mut seated = 0;
    loop {
        alt! {
            if seated < PHILOSOPHERS - 1, chairs.write(()) => seated += 1,
            stood.read()                                   => seated -= 1,
        }?;
    }
}

#[process]
fn philosopher(
    number: usize,
    left: Place,
    right: Place,
    butler: Option<Butler>,
    table: Writer<(usize, State)>,
    meals: u32,
) -> csp::Result {
    for _ in 0..meals {
        table.write((number, State::IsHungry))?;
        if let Some(butler) = &butler {
            butler.0.read()?;
        }
        let left_fork = left.0.read()?;
        table.write((number, State::HasOneFork))?;
        csp::sleep(REACHING);
        let right_fork = right.0.read()?;
        table.write((number, State::Eats))?;
        csp::sleep(up_to(EATING));

        table.write((number, State::Thinks))?;
        left.1.write(left_fork)?;
        right.1.write(right_fork)?;
        if let Some(butler) = &butler {
            butler.1.write(())?;
        }
        csp::sleep(up_to(THINKING));
    }
    Ok(())
}

/// Shows the table until all philosophers have left it.
#[process]
fn watch(table: Reader<(usize, State)>) {
    let mut states = [State::Thinks; PHILOSOPHERS];
    println!("· thinks   ○ is hungry   ◐ has one fork   ● eats\n");
    for (number, state) in &table {
        states[number] = state;
        println!("{}", states.map(symbol).join("  "));

        let eats = |number: usize| states[number % PHILOSOPHERS] == State::Eats;
        assert!(!(0..PHILOSOPHERS).any(|n| eats(n) && eats(n + 1)), "neighbours share a fork");
    }
}

fn symbol(state: State) -> &'static str {
    match state {
        State::Thinks => "·",
        State::IsHungry => "○",
        State::HasOneFork => "◐",
        State::Eats => "●",
    }
}

/// Returns a random shorter duration.
fn up_to(longest: Duration) -> Duration {
    longest.mul_f64(RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64)
}

#[csp::main]
fn main() {
    let Arguments { meals, deadlock } = Arguments::parse();
    let meals = if deadlock { u32::MAX } else { meals };

    let left = PHILOSOPHERS * Channel::new().named("left");
    let right = PHILOSOPHERS * Channel::new().named("right");
    let back = PHILOSOPHERS * Channel::new().named("back");
    let (chairs, stood, table) = (Channel::new(), Channel::new(), Channel::new().named("table"));

    let places: Vec<_> = (0..PHILOSOPHERS)
        .map(|i| {
            let before = (i + PHILOSOPHERS - 1) % PHILOSOPHERS;
            place(Fork, right[before].writer(), left[i].writer(), back[i].reader())
                .named(format!("place[{i}]"))
        })
        .collect();
    let philosophers: Vec<_> = (0..PHILOSOPHERS)
        .map(|i| {
            let next = (i + 1) % PHILOSOPHERS;
            let left = (left[i].reader(), back[i].writer());
            let right = (right[i].reader(), back[next].writer());
            let butler = (!deadlock).then(|| (chairs.reader(), stood.writer()));
            philosopher(i, left, right, butler, table.writer(), meals)
                .named(format!("philosopher[{i}]"))
        })
        .collect();

    let butler = (!deadlock).then(|| butler(chairs.writer(), stood.reader()));
    let watch = watch(table.reader());
    drop((left, right, back, chairs, stood, table));
    match try_parallel!(philosophers, places, butler, watch) {
        Ok((philosophers, ..)) => {
            let ended: csp::Result = philosophers.into_iter().collect();
            ended.expect("nobody leaves the table hungry");
            println!("\nall five have eaten {meals} times");
        }
        // The whole report is on standard error.
        Err(failure) => println!("\n{failure:#}"),
    }
}
