//! Go's `test/chan`, except `select*.go` and `powser*.go`, which have modules of their own.
//!
//! Not here:
//! - `perm.go`: types decide which end can do what, see `ui/rustc/end_of_the_wrong_side.rs`.
//! - `goroutines.go`: a chain of 10,000 processes is among the laws (`many`).
//! - `sendstmt.go`: it checks how Go parses `<-`, which Rust lacks.
//! - `sieve2.go`: it runs the sieve of `sieve1.go` on a ring of channels from a library that is not available here.

use csp::{Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{Arrival, Placement, on_each_backend};

const PRIMES: [u32; 25] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
];

fn filter(prime: u32, input: &Reader<u32>, output: &Writer<u32>) -> csp::Result {
    loop {
        let number = input.read()?;
        if !number.is_multiple_of(prime) {
            output.write(number)?;
        }
    }
}

/// Reads without waiting.
fn poll<T>(input: &Reader<T>) -> Result<Option<T>, Termination> {
    pri_alt! {
        value = input.read() => Some(value),
        skip                 => None,
    }
}

/// Writes without waiting, and returns true if there was a reader or room.
fn offer<T>(output: &Writer<T>, value: T) -> Result<bool, Termination> {
    pri_alt! {
        output.write(value) => true,
        skip                => false,
    }
}

fn polls_of<T: PartialEq + std::fmt::Debug + Clone + Send + 'static>(
    backend: &Placement,
    value: T,
) {
    for capacity in [0, 1] {
        let channel = Channel::buffered(capacity);
        let (reader, writer) = (channel.reader(), channel.writer());
        assert_eq!(poll(&reader), Ok(None));

        let arrival = Arrival::new();
        let waits = backend.spawn({
            let (reader, arrival) = (channel.reader(), arrival.clone());
            move || {
                arrival.announce();
                reader.read()
            }
        });
        arrival.until_blocked();
        assert_eq!(offer(&writer, value.clone()), Ok(true));
        assert_eq!(waits.join(), Ok(value.clone()));

        let arrival = Arrival::new();
        let writes = backend.spawn({
            let (writer, arrival, value) = (channel.writer(), arrival.clone(), value.clone());
            move || {
                writer.write(value.clone()).map_err(|error| error.termination)?;
                arrival.announce();
                writer.write(value).map_err(|error| error.termination)
            }
        });
        // Without room it waits in its first write, otherwise in its second.
        let first = if capacity > 0 {
            arrival.until_blocked();
            poll(&reader).unwrap()
        } else {
            Some(reader.read().unwrap())
        };
        assert_eq!(first, Some(value.clone()));
        arrival.until_blocked();
        assert_eq!(poll(&reader), Ok(Some(value.clone())));
        writes.join().unwrap();
        assert_eq!(offer(&writer, value.clone()), Ok(capacity > 0));
    }
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn doubleselect_never_performs_two_guards(backend) {
        const COUNT: u32 = 2_000;
        let [a, b, c, d] = [(); 4].map(|()| Channel::<u32>::new());
        let all = Channel::new();
        let mut muxes = Vec::new();
        for channel in [&a, &b, &c, &d] {
            let (input, output) = (channel.reader(), all.writer());
            muxes.push(backend.spawn(move || -> csp::Result {
                loop {
                    output.write(input.read()?)?;
                }
            }));
        }
        let source = backend.spawn({
            let [a, b, c, d] = [&a, &b, &c, &d].map(Channel::writer);
            move || -> csp::Result {
                for number in 0..COUNT {
                    alt! {
                        a.write(number) => {}
                        b.write(number) => {}
                        c.write(number) => {}
                        d.write(number) => {}
                    }?;
                }
                Ok(())
            }
        });
        let reader = all.reader();
        drop(all);
        let mut seen: Vec<_> = reader.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..COUNT).collect::<Vec<_>>());
        assert_eq!(source.join(), Ok(()));
        for mux in muxes {
            assert_eq!(mux.join(), Err(Termination::Retired));
        }
    }

    fn fifo_of_a_buffer(backend) {
        let channel = Channel::buffered(10);
        let (reader, writer) = (channel.reader(), channel.writer());
        let read = backend.spawn(move || -> csp::Result<Vec<u32>> {
            for number in 0..10 {
                writer.write(number)?;
            }
            Ok(reader.iter().take(10).collect())
        });
        assert_eq!(read.join(), Ok((0..10).collect()));
    }

    fn fifo_of_a_daisy_chain_of_readers(backend) {
        let numbers = Channel::new();
        let start = Channel::new();
        let mut turn = start.reader();
        let mut chain = Vec::new();
        for expected in 0..10_u32 {
            let next = Channel::new();
            let (mine, then, input) = (turn, next.writer(), numbers.reader());
            turn = next.reader();
            chain.push(backend.spawn(move || -> csp::Result {
                mine.read()?;
                assert_eq!(input.read(), Ok(expected));
                then.write(())?;
                Ok(())
            }));
        }
        let (go, writer) = (start.writer(), numbers.writer());
        go.write(()).unwrap();
        for number in 0..10 {
            writer.write(number).unwrap();
        }
        assert_eq!(turn.read(), Ok(()));
        for link in chain {
            assert_eq!(link.join(), Ok(()));
        }
    }

    fn nonblock_polls_of_values_of_any_size(backend) {
        polls_of(backend, 123_i32);
        polls_of(backend, 123_456_i64);
        polls_of(backend, true);
        polls_of(backend, String::from("hello"));
        polls_of(backend, [7_u64; 100]);
    }

    fn sieve1_of_a_growing_pipeline(backend) {
        let numbers = Channel::new();
        let (output, mut input) = (numbers.writer(), numbers.reader());
        drop(numbers);
        let source = backend.spawn(move || -> csp::Result {
            for number in 2.. {
                output.write(number)?;
            }
            Ok(())
        });
        let mut filters = Vec::new();
        for expected in PRIMES {
            let prime = input.read().unwrap();
            assert_eq!(prime, expected);
            let next = Channel::new();
            let (from, to) = (input, next.writer());
            input = next.reader();
            filters.push(backend.spawn(move || filter(prime, &from, &to)));
        }
        drop(input);
        for filter in filters {
            assert_eq!(filter.join(), Err(Termination::Retired));
        }
        assert_eq!(source.join(), Err(Termination::Retired));
    }

    fn zerosize_values_are_values(backend) {
        struct Nothing;
        for capacity in [0, 1, 10] {
            let channel = Channel::buffered(capacity);
            let writer = channel.writer();
            let writes = backend.spawn(move || -> csp::Result {
                for _ in 0..100 {
                    writer.write(Nothing)?;
                }
                Ok(())
            });
            let reader = channel.reader();
            drop(channel);
            assert_eq!(reader.iter().count(), 100);
            assert_eq!(writes.join(), Ok(()));
        }
    }
}
