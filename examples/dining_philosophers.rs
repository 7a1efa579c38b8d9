//! Five philosophers round a table: choice with outputs among its guards, after PyCSP's `Dining-Phil.py`.
//!
//! ```text
//!  place[i] ── left[i] ──▶ philosopher[i] ◀── right[i] ── place[i + 1]          (five of each, in a ring)
//!      ▲                    │   ▲    │  │                      ▲
//!      └───── back[i] ──────┘   │    │  └───── back[i + 1] ────┘
//!                        chairs │    ▼ stood
//!                              butler
//! ```
//!
//! A fork is a value, so whoever has it is the only one. At its place it is offered to both neighbours at once, in
//! one alternation of two outputs: it moves to the one who reads first, and the other has been offered nothing.
//! Everybody takes the left fork, and with it in hand reaches for the right one (Dijkstra's problem, 1965). Were all
//! five to do so at once, each would wait for ever for a fork that a neighbour holds. So there is a butler (Hoare's
//! footman): he offers a chair only while fewer than four are taken, an output with a precondition, and is told when
//! somebody stands up, an input, both in one alternation.
//!
//! `--deadlock` sends the butler away. When nothing has happened for a second, the one who watches the table
//! poisons a single channel, and that ends them all.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use clap::Parser;
use csp::{Channel, Reader, Writer, alt, parallel, process};

/// Shows five philosophers that think and eat, a line for each change.
#[derive(Parser)]
struct Arguments {
    /// Meals of each philosopher
    #[arg(long, default_value_t = 10)]
    meals: u32,
    /// Sends the butler away and lets them eat until each holds one fork
    #[arg(long, conflicts_with = "meals")]
    deadlock: bool,
}

const PHILOSOPHERS: usize = 5;
const THINKING: Duration = Duration::from_millis(60); // at most
const REACHING: Duration = Duration::from_millis(10); // from one fork to the other
const EATING: Duration = Duration::from_millis(40); // at most
const PATIENCE: Duration = Duration::from_secs(1); // of the one who watches

struct Fork;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Thinks,
    IsHungry,
    HasOneFork,
    Eats,
}

/// A philosopher's view of a fork's place.
struct Place {
    take: Reader<Fork>,
    back: Writer<Fork>,
}

/// A philosopher's view of the butler.
struct Butler {
    chairs: Reader<()>,
    stood: Writer<()>,
}

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
            butler.chairs.read()?;
        }
        let left_fork = left.take.read()?;
        table.write((number, State::HasOneFork))?;
        csp::sleep(REACHING);
        let right_fork = right.take.read()?;
        table.write((number, State::Eats))?;
        csp::sleep(up_to(EATING));

        table.write((number, State::Thinks))?;
        left.back.write(left_fork)?;
        right.back.write(right_fork)?;
        if let Some(butler) = &butler {
            butler.stood.write(())?;
        }
        csp::sleep(up_to(THINKING));
    }
    Ok(())
}

/// Shows the table until all have left it, or until nothing happens any more; then it poisons `forks`.
#[process]
fn watch(table: Reader<(usize, State)>, forks: Option<Reader<Fork>>) {
    let mut states = [State::Thinks; PHILOSOPHERS];
    println!("· thinks   ○ is hungry   ◐ has one fork   ● eats\n");
    loop {
        let change = alt! {
            change = table.read()               => change,
            if forks.is_some(), after(PATIENCE) => break,
        };
        let Ok((number, state)) = change else { return };
        states[number] = state;
        println!("{}", states.map(symbol).join("  "));

        let eats = |number: usize| states[number % PHILOSOPHERS] == State::Eats;
        assert!(!(0..PHILOSOPHERS).any(|n| eats(n) && eats(n + 1)), "neighbours share a fork");
    }
    if let Some(forks) = forks {
        forks.poison("nobody moves");
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

/// Some duration that is shorter.
fn up_to(longest: Duration) -> Duration {
    longest.mul_f64(RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64)
}

#[csp::main]
fn main() {
    let Arguments { meals, deadlock } = Arguments::parse();
    let meals = if deadlock { u32::MAX } else { meals };

    let left = PHILOSOPHERS * Channel::new();
    let right = PHILOSOPHERS * Channel::new();
    let back = PHILOSOPHERS * Channel::new();
    let (chairs, stood, table) = (Channel::new(), Channel::new(), Channel::new());

    let places: Vec<_> = (0..PHILOSOPHERS)
        .map(|i| {
            let before = (i + PHILOSOPHERS - 1) % PHILOSOPHERS;
            place(Fork, right[before].writer(), left[i].writer(), back[i].reader())
        })
        .collect();
    let philosophers: Vec<_> = (0..PHILOSOPHERS)
        .map(|i| {
            let next = (i + 1) % PHILOSOPHERS;
            let left = Place { take: left[i].reader(), back: back[i].writer() };
            let right = Place { take: right[i].reader(), back: back[next].writer() };
            let butler =
                (!deadlock).then(|| Butler { chairs: chairs.reader(), stood: stood.writer() });
            philosopher(i, left, right, butler, table.writer(), meals)
        })
        .collect();

    let (philosophers, ..) = parallel!(
        philosophers,
        places,
        (!deadlock).then(|| butler(chairs.writer(), stood.reader())),
        watch(table.reader(), deadlock.then(|| right[0].reader())),
    );
    match philosophers.into_iter().collect::<csp::Result>() {
        Ok(()) => println!("\nall five have eaten {meals} times"),
        Err(termination) => println!("\ndeadlock: {termination}"),
    }
}
