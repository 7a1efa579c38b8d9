//! Many writers and many readers at one channel, which leave, poison and panic at random moments.

use csp::{Channel, Reader, Writer, parallel, process, spawn};
use csp_tests::{Ledger, Placement, Random, Token, on_each_backend, rounds, seed, settle};

#[derive(Clone, Copy, Debug)]
enum End {
    Retire,
    Poison,
    Panic,
}

/// The number of operations after which a process ends, and the way it ends.
type Fate = (usize, End);

fn fate(random: &mut Random, violent: bool) -> Fate {
    let end = match random.below(6) {
        0 if violent => End::Poison,
        1 if violent => End::Panic,
        _ => End::Retire,
    };
    (if random.once_in(3) { usize::MAX } else { random.below(40) }, end)
}

/// Returns the values that it did not deliver.
#[process]
fn writes(values: Vec<Token>, output: Writer<Token>, (after, end): Fate) -> Vec<Token> {
    let mut values = values.into_iter();
    let mut done = 0;
    while let Some(value) = values.next() {
        if done == after {
            match end {
                End::Retire => output.retire(),
                End::Poison => output.poison("a writer"),
                End::Panic => panic!("a writer"),
            }
            return std::iter::once(value).chain(values).collect();
        }
        if let Err(error) = output.write(value) {
            return std::iter::once(error.into_inner()).chain(values).collect();
        }
        done += 1;
    }
    Vec::new()
}

/// Returns the values that were delivered to it.
#[process]
fn reads(input: Reader<Token>, (after, end): Fate, extended: bool) -> Vec<Token> {
    let mut read = Vec::new();
    while read.len() < after {
        let value =
            if extended { input.begin().map(|value| value.into_inner()) } else { input.read() };
        let Ok(value) = value else { return read };
        read.push(value);
    }
    match end {
        End::Retire => input.retire(),
        End::Poison => input.poison("a reader"),
        End::Panic => panic!("a reader"),
    }
    read
}

fn crowd(backend: &Placement, seed: u64) {
    let mut random = Random::seeded(seed);
    let (writers, readers) = (1 + random.below(8), 1 + random.below(8));
    let capacity = random.below(4);
    let each = 1 + random.below(30);
    let violent = random.once_in(2);
    let ledger = Ledger::new(writers * each);
    let values = if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) };

    let writing: Vec<_> = (0..writers)
        .map(|writer| {
            let tokens = (0..each).map(|number| ledger.token(writer * each + number)).collect();
            backend.place(writes(tokens, values.writer(), fate(&mut random, violent)))
        })
        .collect();
    let reading: Vec<_> = (0..readers)
        .map(|_| {
            let fate = fate(&mut random, violent);
            backend.place(reads(values.reader(), fate, random.once_in(3)))
        })
        .collect();
    let (writing, reading) = if random.once_in(2) {
        let writing = spawn(writing);
        (writing, spawn(reading))
    } else {
        let reading = spawn(reading);
        (spawn(writing), reading)
    };
    let undelivered: Vec<_> = writing.into_iter().map(|writer| writer.try_join()).collect();
    let delivered: Vec<_> = reading.into_iter().map(|reader| reader.try_join()).collect();
    if undelivered.iter().chain(&delivered).all(Result::is_ok) {
        let accounted: usize = undelivered.iter().chain(&delivered).flatten().map(Vec::len).sum();
        if capacity == 0 {
            assert_eq!(accounted, writers * each, "delivered or given back");
        } else {
            assert!(accounted <= writers * each && accounted + capacity >= writers * each);
        }
        // If one reader reads them, the values of one writer are in their order.
        for read in delivered.iter().flatten() {
            for writer in 0..writers {
                let from = read.iter().map(Token::id).filter(|id| id / each == writer);
                assert!(from.is_sorted());
            }
        }
    }
    drop((undelivered, delivered, values));
    ledger.balance();
}

/// Runs many processes, and ends their channel from outside at a random moment.
fn ended_from_outside(backend: &Placement, seed: u64) {
    let mut random = Random::seeded(seed);
    let values =
        if random.once_in(2) { Channel::new() } else { Channel::buffered(1 + random.below(3)) };
    let ledger = Ledger::new(6 * 200);
    let (writer, reader) = (values.writer(), values.reader());
    let writing: Vec<_> = (0..6)
        .map(|writer| {
            let tokens = (0..200).map(|number| ledger.token(writer * 200 + number)).collect();
            backend.place(writes(tokens, values.writer(), (usize::MAX, End::Retire)))
        })
        .collect();
    let reading: Vec<_> = (0..6)
        .map(|_| {
            backend.place(reads(values.reader(), (usize::MAX, End::Retire), random.once_in(3)))
        })
        .collect();
    let (writing, reading) = (spawn(writing), spawn(reading));
    for _ in 0..random.below(20) {
        settle();
    }
    match random.below(3) {
        0 => writer.poison("from outside"),
        1 => std::thread::spawn(move || reader.poison("from another thread")).join().unwrap(),
        _ => drop((writer, reader)),
    }
    let undelivered: usize = writing.into_iter().map(|writer| writer.join().len()).sum();
    let delivered: usize = reading.into_iter().map(|reader| reader.join().len()).sum();
    assert!(undelivered + delivered <= 6 * 200 && undelivered + delivered + 3 >= 6 * 200);
    drop(values);
    ledger.balance();
}

#[process]
fn relays_with_main(input: Reader<Token>, output: Writer<Token>) {
    for value in &input {
        if output.write(value).is_err() {
            return;
        }
    }
}

fn each_seed(backend: &Placement, count: u64, run: fn(&Placement, u64)) {
    for seed in seed()..seed() + rounds(count) {
        backend.note(format!("seed {seed}"));
        let round = std::panic::AssertUnwindSafe(|| run(backend, seed));
        if let Err(panic) = std::panic::catch_unwind(round) {
            eprintln!("the crowd of seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

on_each_backend! {
    here: "tests/subprocess has its own, with OS processes that are killed";
    fn a_crowd_that_leaves_poisons_and_panics(backend) {
        each_seed(backend, 1_000, crowd);
    }

    fn a_crowd_ended_from_outside(backend) {
        each_seed(backend, 200, ended_from_outside);
    }

    fn main_in_the_middle_of_a_crowd(backend) {
        let ledger = Ledger::new(1_000);
        let (values, results) = (Channel::new(), Channel::buffered(2));
        let relays = backend.replicas(5, relays_with_main(values.reader(), results.writer()));
        let readers =
            backend.replicas(5, reads(results.reader(), (usize::MAX, End::Retire), false));
        let (relays, readers) = (spawn(relays), spawn(readers));
        let writer = values.writer();
        for id in 0..1_000 {
            writer.write(ledger.token(id)).unwrap();
        }
        writer.retire();
        let (joined,) =
            parallel!(Vec::from_iter(relays.into_iter().map(|relay| backend.place(joins(relay)))));
        assert_eq!(joined.len(), 5);
        let read: usize = readers.into_iter().map(|reader| reader.join().len()).sum();
        assert_eq!(read, 1_000);
        ledger.balance();
    }
}

#[process]
fn joins(spawned: csp::Spawned<()>) {
    spawned.join();
}
