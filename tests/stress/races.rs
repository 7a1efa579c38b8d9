//! Two or three processes meet at one channel at one moment. Both outcomes are right, and no mixture of
//! them is.

use csp::{Channel, Reader, Termination, WriteError, Writer, process, spawn};
use csp_tests::{Ledger, Placement, Random, Token, on_each_backend, rounds, seed};

#[process]
fn writes(value: Token, output: Writer<Token>) -> Result<(), WriteError<Token>> {
    output.write(value)
}

#[process]
fn reads(input: Reader<Token>) -> Result<Token, Termination> {
    input.read()
}

#[process]
fn drops<T: Send + 'static>(value: T) {
    drop(value);
}

#[process]
fn poisons(end: Reader<Token>) {
    end.poison("race");
}

#[process]
fn makes_a_reader(values: Channel<Token>) -> Result<Token, Termination> {
    let reader = values.reader();
    drop(values);
    reader.read()
}

fn race(
    backend: &Placement,
    count: u64,
    run: fn(&Placement, &Channel<Token>, &Ledger, &mut Random),
) {
    for seed in seed()..seed() + rounds(count) {
        backend.note(format!("seed {seed}"));
        let mut random = Random::seeded(seed);
        let values = if random.once_in(2) { Channel::new() } else { Channel::buffered(1) };
        let ledger = Ledger::new(2);
        run(backend, &values, &ledger, &mut random);
        drop(values);
        ledger.balance();
    }
}

on_each_backend! {
    here: "tests/subprocess has its own, with OS processes that are killed";
    fn the_last_reader_goes_while_a_writer_comes(backend) {
        race(backend, 1_000, |backend, values, ledger, random| {
            let (writer, reader) = (values.writer(), values.reader());
            let second = writer.clone();
            let processes =
                (backend.place(writes(ledger.token(0), writer)), backend.place(drops(reader)));
            let (write, gone) = if random.once_in(2) {
                (spawn(processes.0), spawn(processes.1))
            } else {
                let gone = spawn(processes.1);
                (spawn(processes.0), gone)
            };
            let write = write.join();
            gone.join();
            // The value goes into a buffer at best, because no process reads.
            if let Err(error) = write {
                assert_eq!(error.termination, Termination::Retired);
                assert_eq!(error.into_inner().id(), 0);
            }
            assert_eq!(second.write(ledger.token(1)).unwrap_err().into_inner().id(), 1);
        });
    }

    fn the_last_writer_goes_while_a_reader_comes(backend) {
        race(backend, 1_000, |backend, values, ledger, _| {
            let (writer, reader) = (values.writer(), values.reader());
            let first = spawn(backend.place(reads(reader.clone())));
            let write = spawn(backend.place(writes(ledger.token(0), writer.clone())));
            let gone = spawn(backend.place(drops(writer)));
            let second = spawn(backend.place(reads(reader)));
            write.join().unwrap();
            gone.join();
            let (first, second) = (first.join(), second.join());
            assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
            drop(ledger.token(1));
        });
    }

    fn poison_comes_between_a_writer_and_a_reader(backend) {
        race(backend, 1_000, |backend, values, ledger, random| {
            let (writer, reader) = (values.writer(), values.reader());
            let third = reader.clone();
            let buffered = values.writer().termination().is_none() && random.once_in(2);
            let poison = buffered.then(|| spawn(backend.place(poisons(third.clone()))));
            let write = spawn(backend.place(writes(ledger.token(0), writer)));
            let read = spawn(backend.place(reads(reader)));
            let poison = poison.unwrap_or_else(|| spawn(backend.place(poisons(third))));
            let (write, read) = (write.join(), read.join());
            poison.join();
            if let Ok(value) = &read {
                assert_eq!(value.id(), 0);
                assert!(write.is_ok());
            }
            drop(ledger.token(1));
        });
    }

    fn two_readers_and_two_values(backend) {
        race(backend, 1_000, |backend, values, ledger, _| {
            let ends = [values.writer(), values.writer()];
            let readers = [values.reader(), values.reader()]
                .map(|reader| spawn(backend.place(reads(reader))));
            let mut tokens = [ledger.token(0), ledger.token(1)].into_iter();
            let writers = ends.map(|end| {
                let token = tokens.next().expect("a value for each");
                spawn(backend.place(writes(token, end)))
            });
            let mut read = readers.map(|reader| reader.join().unwrap().id());
            read.sort_unstable();
            assert_eq!(read, [0, 1]);
            for writer in writers {
                writer.join().unwrap();
            }
        });
    }

    fn the_last_handles_go_while_one_makes_a_reader(backend) {
        race(backend, 1_000, |backend, _, ledger, _| {
            let values = Channel::new();
            let write = spawn(backend.place(writes(ledger.token(0), values.writer())));
            let other = spawn(backend.place(drops(values.clone())));
            let read = spawn(backend.place(makes_a_reader(values)));
            assert_eq!(read.join().unwrap().id(), 0);
            write.join().unwrap();
            other.join();
            drop(ledger.token(1));
        });
    }

    fn the_last_handle_goes_while_a_writer_waits(backend) {
        race(backend, 1_000, |backend, _, ledger, _| {
            let values = Channel::new();
            let write = spawn(backend.place(writes(ledger.token(0), values.writer())));
            let handles =
                [values.clone(), values].map(|handle| spawn(backend.place(drops(handle))));
            assert_eq!(write.join().unwrap_err().termination, Termination::Retired);
            for handle in handles {
                handle.join();
            }
            drop(ledger.token(1));
        });
    }
}
