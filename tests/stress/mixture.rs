//! Random networks of all kinds at once: coroutines, threads and futures. Their hosts are threads that become schedulers and end,
//! `io`, and `compute`. Values go by plain operations, in calls, and by choices that give up after a time.
//!
//! As in `networks`, values only go down the layers, so nothing can deadlock.

use super::networks::{Fate, Kept, Weather};
use csp::{
    Backend, Channel, Failure, Process, Reader, Spawned, Termination, Writer, alt, process, spawn,
};
use csp_tests::{Ledger, Random, Token, rounds, seed, watched};
use std::mem::take;
use std::thread::JoinHandle;
use std::time::Duration;

/// The data that a process works on.
struct Work {
    /// The values of a process of the first layer.
    list: std::vec::IntoIter<Token>,
    inputs: Vec<Reader<Token>>,
    outputs: Vec<Writer<Token>>,
    fate: Fate,
    random: Random,
}

/// Returns how long a choice waits: often not at all.
fn soon(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(4) as u64 * 50)
}

/// The guard that was chosen.
enum Came {
    From(Token),
    Late,
}

impl Work {
    fn is_last(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Returns the values that are left at its end.
    fn end(self, mut kept: Kept) -> Kept {
        kept.undelivered.extend(self.list);
        kept
    }

    /// Returns true if it ends before its time.
    fn struck(&mut self, done: usize) -> bool {
        if !self.fate.strikes(done) {
            return false;
        }
        match self.fate {
            Fate::PanicsAfter(_) => panic!("as fated"),
            Fate::PoisonsAfter(_) => {
                take(&mut self.outputs).into_iter().for_each(|output| output.poison("as fated"));
                take(&mut self.inputs).into_iter().for_each(|input| input.poison("as fated"));
            }
            Fate::LeavesAfter(_) | Fate::Stays => {}
        }
        true
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            if let Some(value) = self.list.next() {
                return Some(value);
            }
            let Self { inputs, random, .. } = self;
            let read = match inputs.as_slice() {
                [] => return None,
                [input] => match random.below(6) {
                    0 => input.begin().map(|value| Came::From(value.into_inner())),
                    1 => csp::io(|| input.read()).map(Came::From),
                    2 => csp::compute(|| input.read()).map(Came::From),
                    3 => alt! {
                        value = input.read() => Came::From(value),
                        after(soon(random))  => Came::Late,
                    },
                    _ => input.read().map(Came::From),
                },
                [left, right, ..] => alt! {
                    value = left.read()  => Came::From(value),
                    value = right.read() => Came::From(value),
                    if random.once_in(2), after(soon(random)) => Came::Late,
                },
            };
            match read {
                Ok(Came::From(value)) => return Some(value),
                Ok(Came::Late) => {}
                // Both channels have retired, or one was poisoned.
                Err(_) => return None,
            }
        }
    }

    /// Writes to any remaining output. A poisoned output ends this process, and the value comes back unless a choice had it.
    fn write(&mut self, value: Token) -> Result<(), Token> {
        let mut held = Some(value);
        while !self.outputs.is_empty() && held.is_some() {
            let choice = self.random.below(self.outputs.len());
            let (output, random) = (&self.outputs[choice], &mut self.random);
            let outcome = match random.below(6) {
                0 => given(&mut held, |value| csp::io(|| output.write(value))),
                1 => given(&mut held, |value| csp::compute(|| output.write(value))),
                2 | 3 => {
                    let value = held.take().expect("it was not written");
                    let back = alt! {
                        output.write(value) => None,
                        after(soon(random)) => Some(value),
                    };
                    back.map(|back| written(&mut held, back))
                }
                _ => given(&mut held, |value| output.write(value)),
            };
            match outcome {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Termination::Retired) => drop(self.outputs.swap_remove(choice)),
                Err(_) => break,
            }
        }
        held.map_or(Ok(()), Err)
    }

    async fn next_async(&mut self) -> Option<Token> {
        loop {
            if let Some(value) = self.list.next() {
                return Some(value);
            }
            let Self { inputs, random, .. } = self;
            let read = match inputs.as_slice() {
                [] => return None,
                [input] => match random.below(4) {
                    0 => input.begin_async().await.map(|value| Came::From(value.into_inner())),
                    1 => alt! {
                        value = input.read_async().await => Came::From(value),
                        after(soon(random))              => Came::Late,
                    },
                    _ => input.read_async().await.map(Came::From),
                },
                [left, right, ..] => alt! {
                    value = left.read_async().await  => Came::From(value),
                    value = right.read_async().await => Came::From(value),
                    if random.once_in(2), after(soon(random)) => Came::Late,
                },
            };
            match read {
                Ok(Came::From(value)) => return Some(value),
                Ok(Came::Late) => {}
                Err(_) => return None,
            }
        }
    }

    async fn write_async(&mut self, value: Token) -> Result<(), Token> {
        let mut held = Some(value);
        while !self.outputs.is_empty() && held.is_some() {
            let choice = self.random.below(self.outputs.len());
            let (output, random) = (&self.outputs[choice], &mut self.random);
            let outcome = match random.below(4) {
                0 => {
                    let value = held.take().expect("it was not written");
                    let back = alt! {
                        output.write_async(value).await => None,
                        after(soon(random))             => Some(value),
                    };
                    back.map(|back| written(&mut held, back))
                }
                1 => {
                    // The operation is begun, and dropped if it is not done in time.
                    csp::sleep_async(soon(random)).await;
                    csp::io_async(|| ()).await;
                    Ok(false)
                }
                _ => match output.write_async(held.take().expect("it was not written")).await {
                    Ok(()) => Ok(true),
                    Err(error) => {
                        let ended = error.termination.clone();
                        held = Some(error.into_inner());
                        Err(ended)
                    }
                },
            };
            match outcome {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Termination::Retired) => drop(self.outputs.swap_remove(choice)),
                Err(_) => break,
            }
        }
        held.map_or(Ok(()), Err)
    }
}

/// Returns true if the choice has written the value. Otherwise the value is held again.
fn written(held: &mut Option<Token>, back: Option<Token>) -> bool {
    *held = back;
    held.is_none()
}

/// Writes the held value. If the write gives it back, it is held again.
fn given(
    held: &mut Option<Token>,
    write: impl FnOnce(Token) -> Result<(), csp::WriteError<Token>>,
) -> Result<bool, Termination> {
    match write(held.take().expect("it was not written")) {
        Ok(()) => Ok(true),
        Err(error) => {
            let ended = error.termination.clone();
            *held = Some(error.into_inner());
            Err(ended)
        }
    }
}

#[process]
fn station(mut work: Work) -> Kept {
    let mut kept = Kept::default();
    for done in 0.. {
        if work.struck(done) {
            break;
        }
        let Some(value) = work.next() else { break };
        if work.is_last() {
            kept.delivered.push(value);
        } else if let Err(value) = work.write(value) {
            kept.undelivered.push(value);
            break;
        }
    }
    work.end(kept)
}

#[process]
async fn station_async(mut work: Work) -> Kept {
    let mut kept = Kept::default();
    for done in 0.. {
        if work.struck(done) {
            break;
        }
        let Some(value) = work.next_async().await else { break };
        if work.is_last() {
            kept.delivered.push(value);
        } else if let Err(value) = work.write_async(value).await {
            kept.undelivered.push(value);
            break;
        }
    }
    work.end(kept)
}

type Station = Process<(Work,), Kept>;
type Ended = Vec<Result<Kept, Failure>>;

/// Starts the stations, each as its kind demands, and waits for all.
fn all(stations: Vec<Station>) -> Ended {
    let spawned: Vec<_> = stations.into_iter().map(spawn).collect();
    spawned.into_iter().map(Spawned::try_join).collect()
}

#[process]
fn hosts_in_a_call(stations: Vec<Station>, computes: bool) -> Ended {
    match computes {
        true => csp::compute(|| all(stations)),
        false => csp::io(|| all(stations)),
    }
}

/// The host of some processes of a network.
enum Host {
    /// A thread, which waits for them.
    Thread(JoinHandle<Ended>),
    /// A thread that leaves them to its own end, and returns their handles.
    Left(JoinHandle<Vec<Spawned<Kept>>>),
    /// A process.
    Process(Spawned<Ended>),
}

impl Host {
    fn of(stations: Vec<Station>, random: &mut Random) -> Self {
        match random.below(6) {
            0 | 1 => Self::Thread(std::thread::spawn(move || all(stations))),
            2 | 3 => {
                Self::Left(std::thread::spawn(move || stations.into_iter().map(spawn).collect()))
            }
            other => {
                let hosts = hosts_in_a_call(stations, random.once_in(2));
                let on = if other == 4 { Backend::Coroutine } else { Backend::Thread };
                Self::Process(spawn(hosts.on(on)))
            }
        }
    }

    fn end(self) -> Ended {
        match self {
            // This thread schedules meanwhile, because some of the processes are its own.
            Self::Thread(thread) => csp::io(|| thread.join()).expect("it does not panic"),
            Self::Left(thread) => {
                let left = csp::io(|| thread.join()).expect("it does not panic");
                left.into_iter().map(Spawned::try_join).collect()
            }
            Self::Process(process) => process.join(),
        }
    }
}

fn network(seed: u64, weather: Weather) {
    let mut random = Random::seeded(seed);
    let layers = 2 + random.below(3);
    let total = 10 + random.below(40);
    let ledger = Ledger::new(total);
    let mut hosted: Vec<Vec<Station>> = Vec::new();
    hosted.resize_with(1 + random.below(4), Vec::new);
    let mut outputs: Vec<Channel<Token>> = Vec::new();
    // From the last layer to the first, so that a layer knows the channels it writes to.
    for layer in (0..layers).rev() {
        let first = layer == 0;
        let count = if first { 0 } else { 1 + random.below(3) };
        let inputs: Vec<Channel<Token>> = (0..count)
            .map(|_| match random.below(2) {
                0 => Channel::new(),
                _ => Channel::buffered(1 + random.below(5)),
            })
            .collect();
        let size = count.max(1) + random.below(2);
        let mut tokens = (0..if first { total } else { 0 }).map(|id| ledger.token(id));
        for place in 0..size {
            let share = if place + 1 == size { total } else { total / size };
            let list = tokens.by_ref().take(share).collect::<Vec<_>>().into_iter();
            let mut reads: Vec<_> = Vec::new();
            if !first {
                reads.push(inputs[place % count].reader());
                if random.once_in(3) {
                    reads.push(inputs[random.below(count)].reader());
                }
            }
            // The first process writes to all, so that each channel has a writer.
            let writes = outputs.iter().filter(|_| place == 0 || random.once_in(2));
            let mut writes: Vec<_> = writes.map(Channel::writer).collect();
            if writes.is_empty() && !outputs.is_empty() {
                writes.push(outputs[random.below(outputs.len())].writer());
            }
            let fate = Fate::draw(weather, &mut random);
            let work = Work { list, inputs: reads, outputs: writes, fate, random: random.fork() };
            let station = match random.below(4) {
                0 => station(work).on(Backend::Thread),
                1 => station_async(work),
                2 => station_async(work).on(Backend::Thread),
                _ => station(work),
            };
            let host = random.below(hosted.len());
            hosted[host].push(station);
        }
        outputs = inputs;
    }
    drop(outputs);
    let hosts: Vec<_> =
        hosted.into_iter().map(|stations| Host::of(stations, &mut random)).collect();
    let ended: Vec<_> = hosts.into_iter().flat_map(Host::end).collect();
    for failure in ended.iter().filter_map(|ended| ended.as_ref().err()) {
        assert_eq!((weather, failure.message()), (Weather::Panicking, "as fated"));
    }
    let kept = || ended.iter().flatten();
    let delivered: usize = kept().map(|kept| kept.delivered.len()).sum();
    let undelivered: usize = kept().map(|kept| kept.undelivered.len()).sum();
    match weather {
        Weather::Calm => assert_eq!((delivered, undelivered), (total, 0)),
        _ => assert!(delivered + undelivered <= total),
    }
    drop(ended);
    ledger.balance();
}

#[test]
fn random_networks_on_threads_that_come_and_go() {
    watched("random_networks_on_threads_that_come_and_go", || {
        use Weather::{Calm, Leaving, Panicking, Poisoned};
        for seed in seed()..seed() + rounds(500) {
            let weather = [Calm, Leaving, Poisoned, Panicking][(seed % 4) as usize];
            // The seed is printed ahead, because a hang shows nothing else.
            if std::env::var_os("CSP_ROUNDS").is_some() {
                eprintln!("seed {seed}, {weather:?}");
            }
            let run = std::panic::AssertUnwindSafe(|| network(seed, weather));
            if let Err(panic) = std::panic::catch_unwind(run) {
                eprintln!("the network of seed {seed}, {weather:?}");
                std::panic::resume_unwind(panic);
            }
        }
    });
}
