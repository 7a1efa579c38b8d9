//! Random networks: layers of processes, joined by channels of any capacity, with any number of ends on
//! each.
//!
//! Values only go down the layers, so the network can't deadlock. Only the library can make a
//! mistake.

use csp::{Channel, Parallel, Process, Reader, Termination, Writer, process};
use csp_tests::{Ledger, Placement, Random, Token, on_each_backend, rounds, seed};

/// The events that a network goes through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weather {
    /// All processes stay until there is nothing more to do.
    Calm,
    /// Some processes leave early, so their ends retire.
    Leaving,
    /// Some processes poison their ends.
    Poisoned,
    /// Some processes panic.
    Panicking,
}

/// The fate of one process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Stays,
    LeavesAfter(usize),
    PoisonsAfter(usize),
    PanicsAfter(usize),
}

impl Fate {
    pub(super) fn draw(weather: Weather, random: &mut Random) -> Self {
        let after = random.below(30);
        match weather {
            Weather::Calm => Self::Stays,
            _ if !random.once_in(4) => Self::Stays,
            Weather::Leaving => Self::LeavesAfter(after),
            Weather::Poisoned => Self::PoisonsAfter(after),
            Weather::Panicking => Self::PanicsAfter(after),
        }
    }

    /// Returns true if the process must leave, poison or panic now.
    pub(super) fn strikes(self, done: usize) -> bool {
        match self {
            Self::Stays => false,
            Self::LeavesAfter(after) | Self::PoisonsAfter(after) | Self::PanicsAfter(after) => {
                done == after
            }
        }
    }
}

/// The values a process still has at its end.
#[derive(Default)]
pub(super) struct Kept {
    /// All values that a process without outputs has read.
    pub(super) delivered: Vec<Token>,
    pub(super) undelivered: Vec<Token>,
}

/// The source of values: a list, or a channel.
enum Input {
    List(std::vec::IntoIter<Token>),
    Channel(Reader<Token>),
}

impl Input {
    fn next(&mut self, random: &mut Random) -> Result<Token, Termination> {
        match self {
            Self::List(list) => list.next().ok_or(Termination::Retired),
            Self::Channel(reader) if random.once_in(5) => {
                reader.begin().map(|value| value.into_inner())
            }
            Self::Channel(reader) => reader.read(),
        }
    }
}

#[process]
fn station(
    mut input: Input,
    mut outputs: Vec<Writer<Token>>,
    fate: Fate,
    mut random: Random,
) -> Kept {
    let last = outputs.is_empty();
    let mut kept = Kept::default();
    for done in 0.. {
        if fate.strikes(done) {
            match fate {
                Fate::PanicsAfter(_) => panic!("as fated"),
                Fate::PoisonsAfter(_) => {
                    outputs.into_iter().for_each(|output| output.poison("as fated"));
                    match input {
                        Input::Channel(reader) => reader.poison("as fated"),
                        Input::List(list) => kept.undelivered.extend(list),
                    }
                    return kept;
                }
                Fate::LeavesAfter(_) | Fate::Stays => break,
            }
        }
        let Ok(mut value) = input.next(&mut random) else { break };
        if last {
            kept.delivered.push(value);
            continue;
        }
        // It writes to any remaining output. A poisoned output ends this process.
        loop {
            if outputs.is_empty() {
                kept.undelivered.push(value);
                return rest(kept, input);
            }
            let choice = random.below(outputs.len());
            match outputs[choice].write(value) {
                Ok(()) => break,
                Err(error) => {
                    let poisoned = error.termination != Termination::Retired;
                    value = error.into_inner();
                    if poisoned {
                        kept.undelivered.push(value);
                        return rest(kept, input);
                    }
                    outputs.swap_remove(choice);
                }
            }
        }
    }
    rest(kept, input)
}

/// Counts the values never taken from the list as undelivered.
fn rest(mut kept: Kept, input: Input) -> Kept {
    if let Input::List(list) = input {
        kept.undelivered.extend(list);
    }
    kept
}

fn network(backend: &Placement, seed: u64, weather: Weather) {
    let mut random = Random::seeded(seed);
    let layers = 2 + random.below(3);
    let total = 20 + random.below(60);
    let ledger = Ledger::new(total);
    let rendezvous_only = random.once_in(2);

    let mut set = Parallel::new();
    let mut outputs: Vec<Channel<Token>> = Vec::new();
    // From the last layer to the first, so that a layer knows the channels it writes to.
    for layer in (0..layers).rev() {
        let first = layer == 0;
        let inputs: Vec<Channel<Token>> = (0..if first { 0 } else { 1 + random.below(3) })
            .map(|_| {
                if rendezvous_only || random.once_in(2) {
                    Channel::new()
                } else {
                    Channel::buffered(1 + random.below(5))
                }
            })
            .collect();
        // Each channel has at least one reader. Each process writes to some of the channels below,
        // and the first process writes to all.
        let size = inputs.len().max(1) + random.below(3);
        let mut tokens = (0..total).map(|id| ledger.token(id));
        for place in 0..size {
            let input = if first {
                let share = if place + 1 == size { total } else { total / size };
                Input::List(tokens.by_ref().take(share).collect::<Vec<_>>().into_iter())
            } else {
                Input::Channel(inputs[place % inputs.len()].reader())
            };
            let writers =
                outputs.iter().filter(|_| place == 0 || random.once_in(2)).map(Channel::writer);
            let mut writers: Vec<_> = writers.collect();
            if writers.is_empty() && !outputs.is_empty() {
                writers.push(outputs[random.below(outputs.len())].writer());
            }
            let fate = Fate::draw(weather, &mut random);
            let process: Process<_, _> = station(input, writers, fate, random.fork());
            set = set.with(backend.place(process));
        }
        drop(tokens);
        outputs = inputs;
    }
    let ended = set.try_run();
    if let Err(failure) = &ended {
        assert_eq!(weather, Weather::Panicking);
        assert_eq!(failure.message(), "as fated");
    }
    if let Ok(kept) = &ended {
        let delivered: usize = kept.iter().map(|kept| kept.delivered.len()).sum();
        let undelivered: usize = kept.iter().map(|kept| kept.undelivered.len()).sum();
        match weather {
            Weather::Calm => assert_eq!((delivered, undelivered), (total, 0)),
            _ if rendezvous_only => assert_eq!(delivered + undelivered, total),
            _ => assert!(delivered + undelivered <= total),
        }
    }
    drop(ended);
    ledger.balance();
}

fn networks(backend: &Placement, count: u64) {
    use Weather::{Calm, Leaving, Panicking, Poisoned};
    for seed in seed()..seed() + rounds(count) {
        let weather = [Calm, Leaving, Poisoned, Panicking][(seed % 4) as usize];
        backend.note(format!("seed {seed}, {weather:?}"));
        let run = std::panic::AssertUnwindSafe(|| network(backend, seed, weather));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("the network of seed {seed}, {weather:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

on_each_backend! {
    here: "tests/subprocess has its own, with OS processes that are killed";
    fn a_thousand_random_networks(backend) {
        networks(backend, 1_000);
    }
}
