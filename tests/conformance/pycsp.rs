//! PyCSP 0.9.2's commtest, buffertest, guardtest, selecttest and poisontest. There most tests only run. Here their results are
//! asserted. Their sleeps between operations (none, constant, random) are chances to let the others go on.
//!
//! Not here:
//! - autotest: sequence, parallel and their results are laws of their own. Its topologies are those of commtest.
//! - iotest: calls that block are no choices.
//! - Actions as strings or objects of guards (`*_exec`): an arm is code.
//! - unix/multiprocesstest, remotetest, sshprocesstest, clusterprocesstest, windows/*: these do the same over several OS processes and hosts.

use csp::{
    Alternation, Channel, Erased, Process, Reader, Spawned, Termination, Writer, alt, pri_alt,
};
use csp_tests::{Placement, Random, on_each_backend, poisoned_by_reason, run};
use std::time::Duration;

type Value = (usize, usize);

/// The pause between two operations.
#[derive(Clone, Copy)]
enum Sleep {
    No,
    Always,
    ByChance,
}

const SLEEPS: [(Sleep, Sleep); 8] = [
    (Sleep::No, Sleep::No),
    (Sleep::No, Sleep::Always),
    (Sleep::No, Sleep::ByChance),
    (Sleep::Always, Sleep::No),
    (Sleep::Always, Sleep::ByChance),
    (Sleep::ByChance, Sleep::No),
    (Sleep::ByChance, Sleep::Always),
    (Sleep::ByChance, Sleep::ByChance),
];

impl Sleep {
    fn sleep(self, random: &mut Random) {
        match self {
            Self::No => {}
            Self::Always => csp::sleep(Duration::ZERO),
            Self::ByChance if random.once_in(2) => {}
            Self::ByChance => csp::sleep(Duration::from_nanos(1_000 * random.below(20) as u64)),
        }
    }
}

/// The work of a process that has ended: the number of values it wrote, or the values it read.
#[derive(Clone, Debug, Default, PartialEq)]
struct Done {
    written: usize,
    read: Vec<Value>,
    end: Option<Termination>,
}

type Member = Process<Erased<Done>, Done>;

fn member(body: impl FnOnce(&mut Done) -> csp::Result + Send + 'static) -> Member {
    run(move || {
        let mut done = Done::default();
        done.end = body(&mut done).err();
        done
    })
    .erased()
}

fn writer(output: Writer<Value>, id: usize, count: usize, sleep: Sleep) -> Member {
    member(move |done| {
        let mut random = Random::seeded(id as u64);
        for n in 0..count {
            sleep.sleep(&mut random);
            output.write((id, n))?;
            done.written += 1;
        }
        Ok(())
    })
}

/// Reads `count` values, or until the channel ends.
fn reader(input: Reader<Value>, count: Option<usize>, sleep: Sleep) -> Member {
    member(move |done| {
        let mut random = Random::seeded(99);
        while count.is_none_or(|count| done.read.len() < count) {
            sleep.sleep(&mut random);
            done.read.push(input.read()?);
        }
        Ok(())
    })
}

fn choosing_writer(outputs: [Writer<Value>; 4], id: usize, count: usize, sleep: Sleep) -> Member {
    member(move |done| {
        let ([a, b, c, d], mut random) = (outputs, Random::seeded(id as u64));
        for n in 0..count {
            sleep.sleep(&mut random);
            alt! {
                a.write((id, n)) => {}
                b.write((id, n)) => {}
                c.write((id, n)) => {}
                d.write((id, n)) => {}
            }?;
            done.written += 1;
        }
        Ok(())
    })
}

fn choosing_reader(inputs: [Reader<Value>; 4], count: Option<usize>, sleep: Sleep) -> Member {
    member(move |done| {
        let mut random = Random::seeded(98);
        let mut choice = Alternation::new();
        for input in inputs {
            choice.read(input, |value| value);
        }
        while count.is_none_or(|count| done.read.len() < count) {
            sleep.sleep(&mut random);
            done.read.push(choice.choose()?);
        }
        Ok(())
    })
}

fn channels(capacities: [usize; 4]) -> [Channel<Value>; 4] {
    capacities.map(Channel::buffered)
}

fn readers(channels: &[Channel<Value>; 4]) -> [Reader<Value>; 4] {
    channels.each_ref().map(Channel::reader)
}

fn writers(channels: &[Channel<Value>; 4]) -> [Writer<Value>; 4] {
    channels.each_ref().map(Channel::writer)
}

fn run_all(backend: &Placement, members: Vec<Member>) -> Vec<Done> {
    let members: Vec<_> = members.into_iter().map(|member| backend.place(member)).collect();
    csp::spawn(members).into_iter().map(Spawned::join).collect()
}

/// Panics unless each value of each writer was read once.
#[track_caller]
fn complete(done: &[Done], ids: usize, each: usize) {
    let mut all: Vec<_> = done.iter().flat_map(|done| done.read.clone()).collect();
    all.sort_unstable();
    let expected = (0..ids).flat_map(|id| (0..each).map(move |n| (id, n)));
    assert!(all.iter().copied().eq(expected), "{all:?}");
    assert_eq!(done.iter().map(|done| done.written).sum::<usize>(), ids * each);
}

/// Panics unless each reader read the values of each writer in the order written. This does not hold for a writer that
/// chooses between buffers.
#[track_caller]
fn in_order(done: &[Done], ids: usize) {
    for done in done {
        for id in 0..ids {
            let of_one = done.read.iter().filter(|(from, _)| *from == id);
            assert!(of_one.is_sorted(), "{done:?}");
        }
    }
}

/// Runs the seven networks of commtest and buffertest.
fn topologies(backend: &Placement, capacities: [usize; 4], until_retired: bool) {
    const COUNT: usize = 10;
    let ends = |done: &[Done]| {
        for done in done {
            let reads = until_retired && done.written == 0;
            assert_eq!(done.end, reads.then_some(Termination::Retired));
        }
    };
    let of = |count: usize| (!until_retired).then_some(count);
    for (read, write) in SLEEPS {
        // One2One
        let c = channels(capacities);
        let mut members: Vec<_> =
            readers(&c).into_iter().map(|input| reader(input, of(COUNT), read)).collect();
        members.extend(
            writers(&c).into_iter().enumerate().map(|(id, out)| writer(out, id, COUNT, write)),
        );
        drop(c);
        let done = run_all(backend, members);
        for (id, done) in done[..4].iter().enumerate() {
            assert!(done.read.iter().copied().eq((0..COUNT).map(|n| (id, n))));
        }
        ends(&done);
        complete(&done, 4, COUNT);
        in_order(&done, 4);

        // Any2One
        let c = Channel::buffered(capacities[3]);
        let mut members = vec![reader(c.reader(), of(4 * COUNT), read)];
        members.extend((0..4).map(|id| writer(c.writer(), id, COUNT, write)));
        drop(c);
        let done = run_all(backend, members);
        ends(&done);
        complete(&done, 4, COUNT);
        in_order(&done, 4);

        // One2Any
        let c = Channel::buffered(capacities[3]);
        let mut members = vec![writer(c.writer(), 0, 4 * COUNT, write)];
        members.extend((0..4).map(|_| reader(c.reader(), of(COUNT), read)));
        drop(c);
        let done = run_all(backend, members);
        ends(&done[1..]);
        complete(&done, 1, 4 * COUNT);

        // Any2One_Alting
        let c = channels(capacities);
        let mut members = vec![choosing_reader(readers(&c), of(4 * COUNT), read)];
        members.extend(
            writers(&c).into_iter().enumerate().map(|(id, out)| writer(out, id, COUNT, write)),
        );
        drop(c);
        let done = run_all(backend, members);
        ends(&done);
        complete(&done, 4, COUNT);
        in_order(&done, 4);

        // One_Alting2Any
        let c = channels(capacities);
        let mut members = vec![choosing_writer(writers(&c), 0, 4 * COUNT, write)];
        // There each reads ten values, which shows that the choice is fair. If all read until the end, it need not be fair.
        members.extend(readers(&c).map(|input| reader(input, of(COUNT), read)));
        drop(c);
        let done = run_all(backend, members);
        ends(&done[1..]);
        complete(&done, 1, 4 * COUNT);

        // Any2Any
        let c = Channel::buffered(capacities[3]);
        let mut members: Vec<_> = (0..4).map(|_| reader(c.reader(), of(COUNT), read)).collect();
        members.extend((0..4).map(|id| writer(c.writer(), id, COUNT, write)));
        drop(c);
        let done = run_all(backend, members);
        ends(&done);
        complete(&done, 4, COUNT);
        in_order(&done, 4);

        // Any_Alting2Any_Alting
        let c = channels(capacities);
        let mut members: Vec<_> =
            (0..4).map(|id| choosing_writer(writers(&c), id, 4 * COUNT, write)).collect();
        members.extend((0..4).map(|_| choosing_reader(readers(&c), of(4 * COUNT), read)));
        drop(c);
        let done = run_all(backend, members);
        ends(&done[4..]);
        complete(&done, 4, 4 * COUNT);
        if capacities == [0; 4] {
            in_order(&done, 4);
        }
    }
}

/// Writes `count` values, and then poisons.
fn poisoner(output: Writer<Value>, id: usize, count: usize, sleep: Sleep) -> Member {
    member(move |done| {
        let mut random = Random::seeded(id as u64);
        for n in 0..count {
            sleep.sleep(&mut random);
            output.write((id, n))?;
            done.written += 1;
        }
        output.poison("enough");
        Ok(())
    })
}

fn is_poisoned(done: &Done) -> bool {
    done.end.as_ref().and_then(poisoned_by_reason).as_deref() == Some("enough")
}

/// Panics unless each value read was written, and was read once. Without a buffer, all values must have been read.
#[track_caller]
fn consistent(done: &[Done]) {
    let mut all: Vec<_> = done.iter().flat_map(|done| done.read.clone()).collect();
    let read = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), read, "none twice");
    assert_eq!(read, done.iter().map(|done| done.written).sum::<usize>(), "none lost");
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn commtest(backend) {
        topologies(backend, [0; 4], false);
    }

    fn buffertest_topologies(backend) {
        topologies(backend, [1, 5, 10, 20], true);
    }

    fn buffertest_a_buffer_is_drained_after_its_writer_has_gone(backend) {
        for (read, write) in SLEEPS {
            let channel = Channel::buffered(10);
            let input = channel.reader();
            let written = run_all(backend, vec![writer(channel.writer(), 0, 10, write)]);
            drop(channel);
            assert_eq!((written[0].written, &written[0].end), (10, &None));
            let done = run_all(backend, vec![reader(input, None, read)]);
            assert!(done[0].read.iter().copied().eq((0..10).map(|n| (0, n))));
            assert_eq!(done[0].end, Some(Termination::Retired));
        }
    }

    fn guardtest_skip_among_inputs(backend) {
        guarded(backend, |[a, b, c, d]| {
            pri_alt! {
                x = a.read() => Some(x),
                x = b.read() => Some(x),
                x = c.read() => Some(x),
                x = d.read() => Some(x),
                skip         => None,
            }
        });
    }

    fn guardtest_timeout_among_inputs(backend) {
        guarded(backend, |[a, b, c, d]| {
            alt! {
                x = a.read()                     => Some(x),
                x = b.read()                     => Some(x),
                after(Duration::from_micros(20)) => None,
                x = c.read()                     => Some(x),
                x = d.read()                     => Some(x),
            }
        });
    }

    fn guardtest_a_set_with_a_timeout_is_used_again(backend) {
        guarded(backend, |inputs| {
            let mut choice = Alternation::by_priority();
            for input in inputs {
                choice.read(input, Some);
            }
            choice.after(Duration::from_micros(20), || None);
            // After a timeout it chooses at most once more.
            choice.choose()?.map_or_else(|| choice.choose(), |value| Ok(Some(value)))
        });
    }

    fn selecttest_orders(backend) {
        // selecttest prints the orders of its three ways to choose. For writers that are always ready, these are the orders.
        let orders = backend.spawn(|| {
            let c = channels([10; 4]);
            let ([a, b, c, d], outputs) = (readers(&c), writers(&c));
            let fill = || {
                for (id, output) in outputs.iter().enumerate() {
                    (0..10).try_for_each(|n| output.write((id, n)))?;
                }
                Ok::<_, Termination>(())
            };
            fill()?;
            let mut fair = Vec::new();
            for _ in 0..40 {
                fair.push(alt! {
                    (id, _) = a.read() => id,
                    (id, _) = b.read() => id,
                    (id, _) = c.read() => id,
                    (id, _) = d.read() => id,
                }?);
            }
            fill()?;
            let mut by_priority = Vec::new();
            for _ in 0..40 {
                by_priority.push(pri_alt! {
                    (id, _) = a.read() => id,
                    (id, _) = b.read() => id,
                    (id, _) = c.read() => id,
                    (id, _) = d.read() => id,
                }?);
            }
            Ok::<_, Termination>((fair, by_priority))
        });
        let (fair, by_priority) = orders.join().unwrap();
        assert_eq!(fair, [0, 1, 2, 3].repeat(10));
        assert_eq!(by_priority, [[0; 10], [1; 10], [2; 10], [3; 10]].concat());
    }

    fn selecttest_counts(backend) {
        for (read, write) in SLEEPS {
            let c = channels([0; 4]);
            let mut members = vec![choosing_reader(readers(&c), Some(40), read)];
            members.extend(
                writers(&c).into_iter().enumerate().map(|(id, out)| writer(out, id, 10, write)),
            );
            drop(c);
            complete(&run_all(backend, members), 4, 10);
        }
    }

    fn poisontest_one2one(backend) {
        for (read, write) in SLEEPS {
            let c = Channel::new();
            let members = vec![reader(c.reader(), None, read), poisoner(c.writer(), 0, 10, write)];
            let done = run_all(backend, members);
            assert!(is_poisoned(&done[0]));
            assert_eq!((done[0].read.len(), done[1].written), (10, 10));
            consistent(&done);
        }
    }

    fn poisontest_any2one_alting(backend) {
        for (read, write) in SLEEPS {
            let c = channels([0; 4]);
            let mut members = vec![choosing_reader(readers(&c), None, read)];
            members.extend(
                writers(&c).into_iter().enumerate().map(|(id, out)| poisoner(out, id, 10, write)),
            );
            let done = run_all(backend, members);
            assert!(is_poisoned(&done[0]));
            // The first writer to end ends the reader, and the reader ends the others.
            assert!((10..=40).contains(&done[0].read.len()));
            assert!(done[1..].iter().any(|done| done.written == 10));
            assert!(done[1..].iter().all(|done| done.end.is_none() || is_poisoned(done)));
            consistent(&done);
        }
    }

    fn poisontest_any2any(backend) {
        for (read, write) in SLEEPS {
            let c = Channel::new();
            let mut members: Vec<_> = (0..4).map(|_| reader(c.reader(), None, read)).collect();
            members.extend((0..4).map(|id| poisoner(c.writer(), id, 10, write)));
            let done = run_all(backend, members);
            assert!(done[..4].iter().all(is_poisoned));
            assert!(done[4..].iter().any(|done| done.written == 10));
            consistent(&done);
        }
    }

    fn poisontest_any_alting2any_alting(backend) {
        for (read, write) in SLEEPS {
            let c = channels([0; 4]);
            let mut members: Vec<_> = (0..2)
                .map(|id| {
                    let outputs = writers(&c);
                    let poisons = c[id].writer();
                    member(move |done| {
                        let ([a, b, c, d], mut random) = (outputs, Random::seeded(id as u64));
                        for n in 0..40 {
                            write.sleep(&mut random);
                            alt! {
                                a.write((id, n)) => {}
                                b.write((id, n)) => {}
                                c.write((id, n)) => {}
                                d.write((id, n)) => {}
                            }?;
                            done.written += 1;
                        }
                        poisons.poison("enough");
                        Ok(())
                    })
                })
                .collect();
            members.extend((0..2).map(|_| choosing_reader(readers(&c), None, read)));
            let done = run_all(backend, members);
            assert!(done[2..].iter().all(is_poisoned));
            assert!(done[..2].iter().any(|done| done.written == 40));
            assert!(done[..2].iter().all(|done| done.end.is_none() || is_poisoned(done)));
            consistent(&done);
        }
    }
}

/// Runs one reader that may go on without a value, and writers to four channels: first one to each, then four.
fn guarded(backend: &Placement, choice: fn([&Reader<Value>; 4]) -> csp::Result<Option<Value>>) {
    for per_channel in [1, 4] {
        for (read, write) in [SLEEPS[0], SLEEPS[2], SLEEPS[5], SLEEPS[7]] {
            let c = channels([0; 4]);
            let inputs = readers(&c);
            let mut members = vec![member(move |done| {
                let mut random = Random::seeded(97);
                loop {
                    read.sleep(&mut random);
                    done.read.extend(choice(inputs.each_ref())?);
                }
            })];
            for id in 0..4 * per_channel {
                members.push(writer(c[id / per_channel].writer(), id, 10, write));
            }
            drop(c);
            let done = run_all(backend, members);
            assert_eq!(done[0].end, Some(Termination::Retired), "however it polls, it is told");
            complete(&done, 4 * per_channel, 10);
        }
    }
}
