//! Choices race with the ends of their channels, at any moment. Each value is with one process or dropped once, and
//! every process gets an answer.

use csp::{Alternation, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{Ledger, Placement, Random, Token, in_place, laws, multiprocess, seed, start};
use std::time::Duration;

/// A process that ends the two channels in some way.
type Ends = fn(&Placement, [Channel<Token>; 2], Random) -> csp::Process<csp::Erased<()>, ()>;

/// Writes ten values, each to the channel that takes it first.
#[multiprocess]
fn writes(who: usize, to: [Writer<Token>; 2], ledger: Ledger, mut chance: Random) {
    let [to_a, to_b] = to;
    let mut end = Ok(());
    for id in 10 * who..10 * (who + 1) {
        let value = ledger.token(id);
        if chance.once_in(4) {
            csp::sleep(Duration::ZERO);
        }
        if end.is_ok() {
            end = match chance.below(3) {
                0 => alt! {
                    to_a.write(value) => {}
                    to_b.write(value) => {}
                },
                1 => alt! {
                    to_b.write_with(|| value)          => {}
                    to_a.write(value)                  => {}
                    after(Duration::from_secs(3600)) => unreachable!(),
                },
                _ => {
                    let mut value = Some(value);
                    let held = std::cell::RefCell::new(&mut value);
                    let take = || held.borrow_mut().take().expect("one is chosen");
                    let mut choice = Alternation::new();
                    choice.write(&to_a, take, || {});
                    choice.write(&to_b, take, || {});
                    choice.choose()
                }
            };
        }
    }
}

/// Reads from both until one of them ends the choice.
#[multiprocess]
fn reads(from: [Reader<Token>; 2], mut chance: Random) {
    let [from_a, from_b] = from;
    let mut read = Vec::new();
    loop {
        let patience = Duration::from_micros(chance.below(30) as u64);
        let value = match chance.below(3) {
            0 => alt! {
                x = from_a.read() => Some(x),
                x = from_b.read() => Some(x),
            },
            1 => pri_alt! {
                x = from_b.begin() => Some(x.into_inner()),
                x = from_a.read()  => Some(x),
                after(patience)    => None,
            },
            _ => alt! {
                x = from_a.begin() => Some(x.into_inner()),
                x = from_b.begin() => Some(x.into_inner()),
            },
        };
        match value {
            Ok(value) => read.extend(value),
            Err(_) => return,
        }
    }
}

/// Runs two writers and two readers that choose, on two channels, and a process that ends the channels.
fn race(backend: &Placement, ends: Ends) {
    for seed in seed()..seed() + backend.rounds(200) {
        backend.note(format!("seed {seed}"));
        let mut random = Random::seeded(seed);
        let capacity = random.below(3).saturating_sub(1);
        let [a, b] = [(); 2].map(|()| Channel::buffered(capacity));
        let ledger = Ledger::new(20);
        let ends = ends(backend, [a.clone(), b.clone()], random.fork());
        // The channels are ended from the OS process in which they are.
        let ends = if backend.has_os_processes() { ends } else { backend.place(ends) };
        let mut processes = vec![ends];
        for who in 0..2 {
            let to = [a.writer(), b.writer()];
            let writes = writes(who, to, ledger.clone(), random.fork()).erased();
            processes.push(backend.place(writes));
            let reads = reads([a.reader(), b.reader()], random.fork()).erased();
            processes.push(backend.place(reads));
        }
        drop((a, b));
        for at in (1..processes.len()).rev() {
            processes.swap(at, random.below(at + 1));
        }
        csp::spawn(processes).into_iter().for_each(csp::Spawned::join);
        ledger.balance();
    }
}

laws! {
    fn nothing_happens(backend) {
        race(backend, |_, channels, _| in_place!(move || drop(channels)).erased());
    }

    fn one_is_poisoned(backend) {
        race(backend, |_, [a, b], mut random| {
            let end = if random.once_in(2) { a.reader() } else { b.reader() };
            drop((a, b));
            in_place!(move || {
                for _ in 0..random.below(6) {
                    csp::sleep(Duration::ZERO);
                }
                end.poison("race");
            })
            .erased()
        });
    }

    fn both_are_poisoned_in_either_order(backend) {
        race(backend, |_, [a, b], mut random| {
            let mut ends = [a.writer(), b.writer()];
            drop((a, b));
            if random.once_in(2) {
                ends.swap(0, 1);
            }
            in_place!(move || {
                for end in ends {
                    for _ in 0..random.below(4) {
                        csp::sleep(Duration::ZERO);
                    }
                    end.poison("race");
                }
            })
            .erased()
        });
    }

    fn a_process_with_ends_panics(backend) {
        race(backend, |_, [a, b], mut random| {
            let ends = (a.reader(), b.writer());
            drop((a, b));
            in_place!(move || {
                let outcome = csp::try_parallel!(in_place!(move || {
                    for _ in 0..random.below(4) {
                        csp::sleep(Duration::ZERO);
                    }
                    let _ends = ends;
                    panic!("race");
                }));
                let outcome: Result<((),), _> = outcome;
                assert!(outcome.is_err());
            })
            .erased()
        });
    }

    fn a_timeout_and_an_end_come_together(backend) {
        for seed in seed()..seed() + backend.rounds(200) {
            let mut random = Random::seeded(seed);
            let (a, b) = (Channel::<u32>::new(), Channel::<u32>::new());
            let (input, output) = (a.reader(), b.writer());
            let patience = Duration::from_micros(random.below(40) as u64);
            let chooses = start!(
                backend,
                (patience: Duration = patience, input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result {
                    alt! {
                        input.read()    => unreachable!(),
                        output.write(1) => unreachable!(),
                        after(patience) => {}
                    }
                }
            );
            let ends = start!(
                backend,
                (random: Random = random, a: Writer<u32> = a.writer(), b: Reader<u32> = b.reader()) -> () {
                    let mut random = random;
                    for _ in 0..random.below(20) {
                        csp::sleep(Duration::ZERO);
                    }
                    drop((a, b));
                }
            );
            ends.join();
            assert!(matches!(chooses.join(), Ok(()) | Err(Termination::Retired)));
        }
    }

    fn a_choice_between_a_value_and_its_retirement(backend) {
        for seed in seed()..seed() + backend.rounds(200) {
            let mut random = Random::seeded(seed);
            let ledger = Ledger::new(3);
            let channel = Channel::<Token>::buffered(random.below(3));
            let (input, output) = (channel.reader(), channel.writer());
            drop(channel);
            let reads = start!(backend, (input: Reader<Token> = input) -> Vec<usize> {
                let mut read = Vec::new();
                loop {
                    let over = alt! {
                        value = input.read() => { read.push(value.id()); false }
                        retired(input)       => true,
                    };
                    if over.unwrap() {
                        return read;
                    }
                }
            });
            let writes = start!(
                backend,
                (random: Random = random, output: Writer<Token> = output, ledger: Ledger = ledger.clone()) -> () {
                    let mut random = random;
                    for id in 0..3 {
                        if random.once_in(2) {
                            csp::sleep(Duration::ZERO);
                        }
                        output.write(ledger.token(id)).unwrap();
                    }
                }
            );
            writes.join();
            assert_eq!(reads.join(), [0, 1, 2]);
            ledger.balance();
        }
    }
}
