//! Random networks that have one outcome by construction. No process chooses, and each channel has one writer and one reader (Kahn,
//! "The semantics of a simple language for parallel programming", 1974).
//!
//! In each round a process uses each of its channels once, in the order of the channels' numbers. So the network can't deadlock, though
//! it has circles: the two processes at the channel that is next of all wait for no other. A run without channels gives the outcome.

use std::hint::black_box;

use csp::{Channel, Parallel, Process, Reader, Writer, parallel, process, spawn};
use csp_tests::{Placement, Random, on_each_backend, rounds, seed};

/// The use of one channel in each round.
enum Step {
    Read(Reader<u64>),
    Extended(Reader<u64>),
    Write(Writer<u64>),
}

/// The work of a process.
#[derive(Clone, Copy)]
struct Habits {
    rounds: u64,
    /// How long it computes in each round.
    effort: u64,
    /// How many others it starts in each round.
    children: usize,
}

fn mix(state: u64, with: u64) -> u64 {
    (state ^ with).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
}

/// Returns the value that a process of this state writes.
fn written(state: u64) -> u64 {
    mix(state, 1)
}

fn after_write(state: u64) -> u64 {
    mix(state, 2)
}

/// Takes a while, and returns something that depends on all of it.
fn compute(effort: u64) -> u64 {
    black_box((0..black_box(effort)).fold(effort, mix))
}

/// Returns the state after a round.
fn after_round(state: u64, Habits { effort, children, .. }: Habits, sums: u64) -> u64 {
    let state = mix(state, compute(effort));
    if children > 0 { mix(state, sums) } else { state }
}

#[process]
fn computes(effort: u64) -> u64 {
    compute(effort)
}

/// Ends all writers. Returns the readers.
fn end_writers(steps: Vec<Step>) -> Vec<Reader<u64>> {
    let reader = |step| match step {
        Step::Read(reader) | Step::Extended(reader) => Some(reader),
        Step::Write(_) => None,
    };
    steps.into_iter().filter_map(reader).collect()
}

/// Ends all writers, and then waits for the end of all readers. Returns the state that comes of it.
fn left(steps: Vec<Step>, mut state: u64) -> u64 {
    for reader in end_writers(steps) {
        while let Ok(value) = reader.read() {
            state = mix(state, !value);
        }
    }
    state
}

#[process]
fn takes_part(steps: Vec<Step>, mut state: u64, habits: Habits) -> u64 {
    for _ in 0..habits.rounds {
        for step in &steps {
            match step {
                Step::Read(reader) => state = mix(state, reader.read().expect("its writer stays")),
                Step::Extended(reader) => {
                    let value = reader.begin().expect("its writer stays");
                    state = mix(state, *value);
                }
                Step::Write(writer) => {
                    writer.write(written(state)).expect("its reader stays");
                    state = after_write(state);
                }
            }
        }
        let sums = parallel!(habits.children * computes(habits.effort)).0;
        state = after_round(state, habits, sums.into_iter().fold(0, mix));
    }
    left(steps, state)
}

#[process]
async fn takes_part_async(steps: Vec<Step>, mut state: u64, habits: Habits) -> u64 {
    for _ in 0..habits.rounds {
        for step in &steps {
            match step {
                Step::Read(reader) | Step::Extended(reader) => {
                    let value = reader.read_async().await.expect("its writer stays");
                    state = mix(state, value);
                }
                Step::Write(writer) => {
                    writer.write_async(written(state)).await.expect("its reader stays");
                    state = after_write(state);
                }
            }
        }
        state = after_round(state, habits, 0);
    }
    for reader in end_writers(steps) {
        while let Ok(value) = reader.read_async().await {
            state = mix(state, !value);
        }
    }
    state
}

fn network(backend: &Placement, seed: u64) {
    let mut random = Random::seeded(seed);
    let count = 2 + random.below(8);
    let rounds = 1 + random.below(12) as u64;
    let mut states: Vec<u64> = (0..count as u64).map(|n| mix(seed, n)).collect();
    let habits: Vec<_> = (0..count)
        .map(|_| {
            let effort = if random.once_in(3) { random.below(300) as u64 } else { 0 };
            let children = if random.once_in(8) { 1 + random.below(4) } else { 0 };
            Habits { rounds, effort, children }
        })
        .collect();
    // The channels, and who writes and reads.
    let mut steps: Vec<Vec<Step>> = Vec::new();
    steps.resize_with(count, Vec::new);
    let mut between = Vec::new();
    for _ in 0..1 + random.below(2 * count) {
        let writer = random.below(count);
        let reader = (writer + 1 + random.below(count - 1)) % count;
        let capacity = if random.once_in(3) { 1 + random.below(4) } else { 0 };
        let channel = if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) };
        steps[writer].push(Step::Write(channel.writer()));
        let input = channel.reader();
        let extended = random.once_in(5);
        steps[reader].push(if extended { Step::Extended(input) } else { Step::Read(input) });
        between.push((writer, reader));
    }
    // The network itself.
    let mut all: Vec<Process<_, u64>> = Vec::new();
    for (number, steps) in steps.into_iter().enumerate() {
        let (state, habits) = (states[number], habits[number]);
        let part = match habits.children {
            0 if random.once_in(4) => takes_part_async(steps, state, habits),
            _ => takes_part(steps, state, habits),
        };
        all.push(backend.place(part));
    }
    let outcome = if random.once_in(2) {
        all.into_iter().fold(Parallel::new(), Parallel::with).run()
    } else {
        spawn(all).into_iter().map(|part| part.join()).collect()
    };
    // The same without it.
    for _ in 0..rounds {
        for &(writer, reader) in &between {
            let value = written(states[writer]);
            states[writer] = after_write(states[writer]);
            states[reader] = mix(states[reader], value);
        }
        for (state, &habits) in states.iter_mut().zip(&habits) {
            let sums = (0..habits.children).map(|_| compute(habits.effort)).fold(0, mix);
            *state = after_round(*state, habits, sums);
        }
    }
    assert_eq!(outcome, states, "the network of seed {seed}");
}

on_each_backend! {
    here: "tests/subprocess has its own, with OS processes that are killed";
    fn networks_without_choice_have_one_outcome(backend) {
        for seed in seed()..seed() + rounds(300) {
            backend.note(format!("seed {seed}"));
            network(backend, seed);
        }
    }
}
