//! JCSP's bound: a guard that stays ready is chosen before any other is chosen twice.

use csp::{Alternation, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{Arrival, Random, awaitable, laws, seed, start, start_waiting, wait_for};
#[cfg(feature = "subprocess")]
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One choice: the chosen guard, and the guards that were ready throughout.
type Choice = (usize, Vec<bool>);

/// Panics if another guard stayed ready between two choices of one guard and was not chosen.
#[track_caller]
fn is_fair(choices: &[Choice]) {
    for (first, (chosen, ready)) in choices.iter().enumerate() {
        let mut waiting = vec![true; ready.len()];
        waiting[*chosen] = false;
        for (next, ready) in &choices[first + 1..] {
            for (guard, waiting) in waiting.iter_mut().enumerate() {
                *waiting &= ready.get(guard) == Some(&true);
            }
            if next == chosen {
                assert!(
                    !waiting.contains(&true),
                    "guard {chosen} twice, first at {first}: {choices:?}"
                );
                break;
            }
            if let Some(waiting) = waiting.get_mut(*next) {
                *waiting = false;
            }
        }
    }
}

fn always(chosen: impl IntoIterator<Item = usize>, guards: usize) -> Vec<Choice> {
    chosen.into_iter().map(|guard| (guard, vec![true; guards])).collect()
}

/// Channels that hold a number of values, or have room for that number.
#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Ready {
    readers: Vec<Reader<u32>>,
    writers: Vec<Writer<u32>>,
}

fn filled(channels: usize, values: usize) -> Ready {
    let ready = roomy(channels, values);
    for writer in &ready.writers {
        (0..values as u32).for_each(|value| writer.write(value).unwrap());
    }
    ready
}

fn roomy(channels: usize, values: usize) -> Ready {
    let channels = channels * Channel::buffered(values);
    Ready {
        readers: channels.iter().map(Channel::reader).collect(),
        writers: channels.iter().map(Channel::writer).collect(),
    }
}

#[awaitable]
fn choice_of_three(ends: &[Reader<u32>]) -> csp::Result<usize> {
    alt! {
        ends[0].read() => 0,
        ends[1].read() => 1,
        ends[2].read() => 2,
    }
}

laws! {
    fn inputs_outputs_and_times_take_turns(backend) {
        let chosen = start!(backend, (full: Ready = filled(2, 100), room: Ready = roomy(2, 100)) -> csp::Result<Vec<usize>> {
            let mut chosen = Vec::new();
            for _ in 0..90 {
                chosen.push(alt! {
                    full.readers[0].read()                  => 0,
                    room.writers[0].write(1)                => 1,
                    after(Duration::ZERO)                   => 2,
                    full.readers[1].begin()                 => 3,
                    room.writers[1].write_with(|| 1)        => 4,
                }?);
            }
            Ok(chosen)
        });
        is_fair(&always(chosen.join().unwrap(), 5));
    }

    fn a_set_takes_turns(backend) {
        let chosen = start!(backend, (ready: Ready = filled(10, 100)) -> csp::Result<Vec<usize>> {
            let mut choice = Alternation::new();
            for (guard, reader) in ready.readers.iter().enumerate() {
                choice.read(reader, move |_| guard);
            }
            let mut chosen = Vec::new();
            for _ in 0..500 {
                chosen.push(choice.choose()?);
            }
            Ok(chosen)
        });
        is_fair(&always(chosen.join().unwrap(), 10));
    }

    fn writers_that_wait_are_served_in_turn(backend, here: "a process that sleeps in another OS process need not have come to the channel yet") {
        const EACH: usize = 5;
        let channels = 3 * Channel::new();
        let writers: Vec<_> = (0..3 * EACH)
            .map(|n| {
                start_waiting!(
                    backend,
                    (n: u32 = n as u32, output: Writer<u32> = channels[n % 3].writer()) -> bool { output.write(n).is_ok() }
                )
            })
            .collect();
        let ends: Vec<_> = channels.iter().map(Channel::reader).collect();
        let reads = start!(backend, (ends: Vec<Reader<u32>> = ends) -> csp::Result<Vec<usize>> {
            // Each channel has enough writers if no channel is ahead by more than one.
            let mut chosen = Vec::new();
            for _ in 0..3 * EACH {
                chosen.push(wait_for!(choice_of_three(&ends))?);
            }
            Ok(chosen)
        });
        is_fair(&always(reads.join().unwrap(), 3));
        assert!(writers.into_iter().all(csp::Spawned::join));
    }

    fn readers_that_wait_are_served_in_turn(backend, here: "a process that sleeps in another OS process need not have come to the channel yet") {
        const EACH: usize = 5;
        let channels = 3 * Channel::new();
        let readers: Vec<_> = (0..3 * EACH)
            .map(|n| {
                start_waiting!(backend, (input: Reader<()> = channels[n % 3].reader()) -> bool { input.read().is_ok() })
            })
            .collect();
        let ends: Vec<_> = channels.iter().map(Channel::writer).collect();
        let writes = start!(backend, (ends: Vec<Writer<()>> = ends) -> csp::Result<Vec<usize>> {
            let mut chosen = Vec::new();
            for n in 0..3 * EACH {
                chosen.push(alt! {
                    ends[0].write(())           => 0,
                    ends[1].write_with(|| ())   => 1,
                    if n < 100, ends[2].write(()) => 2,
                }?);
            }
            Ok(chosen)
        });
        is_fair(&always(writes.join().unwrap(), 3));
        assert!(readers.into_iter().all(csp::Spawned::join));
    }

    fn several_that_share_ends_are_each_fair(backend) {
        let Ready { readers, writers: _kept } = filled(3, 400);
        let shares: Vec<_> = (0..4)
            .map(|who| {
                start!(backend, (who: usize = who, ends: Vec<Reader<u32>> = readers.clone()) -> csp::Result<Vec<usize>> {
                    let mut choice = Alternation::new();
                    for (guard, end) in ends.iter().enumerate() {
                        choice.read(end, move |_| guard);
                    }
                    let mut chosen = Vec::new();
                    for _ in 0..100 {
                        chosen.push(if who.is_multiple_of(2) { choice.choose()? } else { wait_for!(choice_of_three(&ends))? });
                        csp::sleep(Duration::ZERO);
                    }
                    Ok(chosen)
                })
            })
            .collect();
        for share in shares {
            is_fair(&always(share.join().unwrap(), 3));
        }
    }

    fn several_choices_of_one_process_keep_their_own_turns(backend) {
        let traces = start!(backend, (ready: Ready = filled(3, 1_000)) -> csp::Result<Vec<Vec<usize>>> {
            let [a, b, c] = &ready.readers[..] else { unreachable!() };
            let mut traces = vec![Vec::new(); 7];
            for _ in 0..40 {
                let chosen = [
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    alt! { a.read() => 0, b.read() => 1, c.read() => 2 }?,
                    wait_for!(choice_of_three(&ready.readers))?,
                ];
                for (trace, chosen) in traces.iter_mut().zip(chosen) {
                    trace.push(chosen);
                }
            }
            Ok(traces)
        });
        for trace in traces.join().unwrap() {
            is_fair(&always(trace, 3));
        }
    }

    fn preconditions_may_change(backend) {
        for seed in seed()..seed() + backend.rounds(20) {
            backend.note(format!("seed {seed}"));
            let choices = start!(backend, (seed: u64 = seed, full: Ready = filled(4, 300)) -> csp::Result<Vec<Choice>> {
                let mut random = Random::seeded(seed);
                let ends = &full.readers;
                let mut choices: Vec<Choice> = Vec::new();
                while choices.len() < 200 {
                    let mut enabled: Vec<_> = (0..4).map(|_| !random.once_in(3)).collect();
                    enabled[random.below(4)] = true;
                    let chosen = alt! {
                        if enabled[0], ends[0].read() => 0,
                        if enabled[1], ends[1].read() => 1,
                        if enabled[2], ends[2].read() => 2,
                        if enabled[3], ends[3].read() => 3,
                    }?;
                    choices.push((chosen, enabled));
                }
                Ok(choices)
            });
            is_fair(&choices.join().unwrap());
        }
    }

    fn a_set_may_change(backend) {
        for seed in seed()..seed() + backend.rounds(20) {
            backend.note(format!("seed {seed}"));
            let choices = start!(backend, (seed: u64 = seed, full: Ready = filled(8, 300)) -> csp::Result<Vec<Choice>> {
                let mut random = Random::seeded(seed);
                let mut choice = Alternation::new();
                let mut enabled = Vec::new();
                let mut choices: Vec<Choice> = Vec::new();
                while choices.len() < 300 {
                    if enabled.is_empty() || (enabled.len() < 8 && random.once_in(20)) {
                        let guard = enabled.len();
                        assert_eq!(choice.read(&full.readers[guard], move |_| guard), guard);
                        enabled.push(true);
                    } else if random.once_in(3) {
                        let guard = random.below(enabled.len());
                        enabled[guard] = !enabled[guard];
                        choice.set_enabled(guard, enabled[guard]);
                    }
                    if !enabled.contains(&true) {
                        continue;
                    }
                    let chosen = choice.choose()?;
                    assert_eq!(choice.chosen(), Some(chosen));
                    choices.push((chosen, enabled.clone()));
                }
                Ok(choices)
            });
            is_fair(&choices.join().unwrap());
        }
    }

    fn guards_may_come_and_go(backend) {
        for seed in seed()..seed() + backend.rounds(20) {
            backend.note(format!("seed {seed}"));
            let choices = start!(backend, (seed: u64 = seed, ends: Ready = roomy(5, 100)) -> csp::Result<Vec<Choice>> {
                // Values come at random. A guard that has a value keeps it until it is chosen.
                let mut random = Random::seeded(seed);
                let mut held = [0; 5];
                let mut choices: Vec<Choice> = Vec::new();
                while choices.len() < 300 {
                    for (guard, held) in held.iter_mut().enumerate() {
                        if random.once_in(4) && *held < 100 {
                            ends.writers[guard].write(0)?;
                            *held += 1;
                        }
                    }
                    if held == [0; 5] {
                        continue;
                    }
                    let ready = held.iter().map(|held| *held > 0).collect();
                    let r = &ends.readers;
                    let chosen: usize = alt! {
                        r[0].read() => 0,
                        r[1].read() => 1,
                        r[2].read() => 2,
                        r[3].read() => 3,
                        r[4].read() => 4,
                    }?;
                    held[chosen] -= 1;
                    choices.push((chosen, ready));
                }
                Ok(choices)
            });
            is_fair(&choices.join().unwrap());
        }
    }

    fn both_sides_of_the_channels_may_choose(backend) {
        // Neither side is always ready here, but no process may starve.
        let channels = 3 * Channel::<u32>::new();
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let ends = channels.iter().map(Channel::writer).collect();
                start!(backend, (ends: Vec<Writer<u32>> = ends) -> csp::Result {
                    loop {
                        alt! {
                            ends[0].write(0) => {}
                            ends[1].write(1) => {}
                            ends[2].write(2) => {}
                        }?;
                    }
                })
            })
            .collect();
        let ends: Vec<_> = channels.iter().map(Channel::reader).collect();
        drop(channels);
        let counts = start!(backend, (ends: Vec<Reader<u32>> = ends) -> csp::Result<[u32; 3]> {
            let mut counts = [0; 3];
            for _ in 0..600 {
                counts[wait_for!(choice_of_three(&ends))?] += 1;
            }
            Ok(counts)
        });
        let counts = counts.join().unwrap();
        assert_eq!(counts.iter().sum::<u32>(), 600);
        for writer in writers {
            assert_eq!(writer.join(), Err(Termination::Retired));
        }
    }

    fn priority_is_not_fair(backend) {
        let chosen = start!(backend, (ready: Ready = filled(3, 20)) -> csp::Result<Vec<usize>> {
            let r = &ready.readers;
            let mut choice = Alternation::by_priority();
            for (guard, reader) in r.iter().enumerate() {
                choice.read(reader, move |_| guard);
            }
            let mut chosen = Vec::new();
            for round in 0..60 {
                chosen.push(if round % 2 == 0 {
                    choice.choose()?
                } else {
                    pri_alt! {
                        r[0].read() => 0,
                        r[1].read() => 1,
                        r[2].read() => 2,
                    }?
                });
            }
            Ok(chosen)
        });
        let expected: Vec<_> = [[0; 20], [1; 20], [2; 20]].concat();
        assert_eq!(chosen.join(), Ok(expected));
    }

    fn a_choice_that_had_to_wait_goes_on_from_there(backend, here: "a process that sleeps in another OS process need not have come to the channel yet") {
        let channels = 3 * Channel::<()>::buffered(100);
        let ends: Vec<_> = channels.iter().map(Channel::reader).collect();
        let outputs: Vec<_> = channels.iter().map(Channel::writer).collect();
        let (steps, arrival) = (Channel::new(), Arrival::new());
        let reads = start!(
            backend,
            (steps: Reader<()> = steps.reader(), ends: Vec<Reader<()>> = ends, arrival: Arrival = arrival.clone()) -> csp::Result<Vec<usize>> {
                let mut chosen = Vec::new();
                while steps.read().is_ok() {
                    arrival.announce();
                    chosen.push(alt! {
                        ends[0].read() => 0,
                        ends[1].read() => 1,
                        ends[2].read() => 2,
                    }?);
                }
                Ok(chosen)
            }
        );
        let step = steps.writer();
        drop(steps);
        for (turn, wanted) in [1, 0, 2, 2, 1].into_iter().enumerate() {
            step.write(()).unwrap();
            arrival.until_blocked_again(1 + turn as u64);
            outputs[wanted].write(()).unwrap();
        }
        // All guards are ready, so the guard after the last served one comes first.
        for output in &outputs {
            output.write(()).unwrap();
        }
        for _ in 0..3 {
            step.write(()).unwrap();
        }
        drop(step);
        assert_eq!(reads.join(), Ok(vec![1, 0, 2, 2, 1, 2, 0, 1]));
    }
}

/// Checks that `is_fair` tells the bound from a breach of it.
#[test]
fn the_bound_is_checked() {
    is_fair(&always([0, 1, 2, 0, 1, 2, 0], 3));
    for unfair in [&[0, 0][..], &[0, 1, 0], &[0, 1, 2, 0, 2]] {
        let unfair = always(unfair.iter().copied(), 3);
        assert!(std::panic::catch_unwind(|| is_fair(&unfair)).is_err());
    }
    is_fair(&[(0, vec![true, true]), (0, vec![true, false]), (1, vec![true, true])]);
}
