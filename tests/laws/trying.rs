//! A read or a write that does not wait, or not for ever, does all of its work or nothing.

use crate::processes::{read_once, sink, write_once};
use csp::{Channel, Reader, Termination, TryWriteError, Writer, alt, spawn};
use csp_tests::{Arrival, Ledger, Wire, laws, multiprocess, start};
use std::time::{Duration, Instant};

/// So long that no law waits for its end.
const EVER: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);

/// Reads once, in each of the ways that may find nothing.
#[multiprocess]
fn read_in_all_ways(input: Reader<u32>) -> Vec<csp::Result<Option<u32>>> {
    vec![
        input.try_read(),
        input.read_timeout(Duration::ZERO),
        input.read_timeout(MOMENT),
        input.read_until(Instant::now()),
        input.read_until(Instant::now() + MOMENT),
    ]
}

/// Writes once, in each of the ways that may give the value back. Returns the values that came back, with the ends.
#[multiprocess]
fn write_in_all_ways(output: Writer<u32>) -> Vec<Option<(u32, Option<Termination>)>> {
    let written = vec![
        output.try_write(1),
        output.write_timeout(2, Duration::ZERO),
        output.write_timeout(3, MOMENT),
        output.write_until(4, Instant::now()),
        output.write_until(5, Instant::now() + MOMENT),
    ];
    let back = |refused: TryWriteError<u32>| {
        let end = refused.termination().cloned();
        (refused.into_inner(), end)
    };
    written.into_iter().map(|written| written.err().map(back)).collect()
}

/// Reads until the channel ends, by tries and by waits with a limit.
#[multiprocess]
fn patient_sink<T: Wire>(input: Reader<T>) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        match input.try_read() {
            Ok(Some(value)) => all.push(value),
            Ok(None) => {}
            Err(_) => return all,
        }
        match input.read_timeout(MOMENT) {
            Ok(Some(value)) => all.push(value),
            Ok(None) => {}
            Err(_) => return all,
        }
    }
}

/// Writes the values, each as often as is needed, by tries and by waits with a limit.
#[multiprocess]
fn patient_source<T: Wire>(values: Vec<T>, output: Writer<T>) -> csp::Result {
    for mut value in values {
        loop {
            let Err(refused) = output.try_write(value) else { break };
            let Err(refused) = output.write_timeout(refused.into_full()?, MOMENT) else { break };
            value = refused.into_full()?;
        }
    }
    Ok(())
}

laws! {
    fn a_try_finds_what_is_in_the_buffer(backend) {
        let values = Channel::buffered(2);
        let (input, output) = (values.reader(), values.writer());
        let tried = start!(
            backend,
            (input: Reader<u32> = input, output: Writer<u32> = output) -> Vec<Option<u32>> {
                let mut tried = vec![input.try_read().unwrap()];
                output.write(1).unwrap();
                output.write(2).unwrap();
                for _ in 0..3 {
                    tried.push(input.try_read().unwrap());
                }
                tried
            }
        );
        assert_eq!(tried.join(), [None, Some(1), Some(2), None]);
    }

    fn a_try_takes_the_room_of_the_buffer_and_no_more(backend) {
        for capacity in [0, 1, 3] {
            let values = Channel::buffered(capacity);
            let (input, output) = (values.reader(), values.writer());
            let refused = start!(backend, (output: Writer<usize> = output) -> Vec<usize> {
                let mut refused = Vec::new();
                for value in 0..5 {
                    if let Err(error) = output.try_write(value) {
                        assert!(error.is_full());
                        refused.push(error.into_inner());
                    }
                }
                refused
            });
            assert_eq!(refused.join(), (capacity..5).collect::<Vec<_>>());
            assert_eq!(input.iter().collect::<Vec<_>>(), (0..capacity).collect::<Vec<_>>());
        }
    }

    fn a_try_meets_a_writer_that_waits(backend) {
        let values = Channel::new();
        let (arrivals, input) = ([Arrival::new(), Arrival::new()], values.reader());
        let _kept = values.writer();
        let mut writes = Vec::new();
        for (value, arrival) in [5, 6].into_iter().zip(arrivals) {
            writes.push(spawn(backend.place(write_once(value, values.writer(), arrival.clone()))));
            arrival.until_blocked();
        }
        assert_eq!(input.try_read(), Ok(Some(5)), "the first that came is served first");
        assert_eq!(input.try_iter().collect::<Vec<_>>(), [6]);
        for write in writes {
            assert_eq!(write.join(), Ok(()));
        }
        assert_eq!(input.try_read(), Ok(None));
    }

    fn a_try_meets_a_reader_that_waits(backend) {
        let values = Channel::new();
        let (arrival, output, _kept) = (Arrival::new(), values.writer(), values.reader());
        let read = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        assert_eq!(output.try_write(5), Ok(()));
        assert_eq!(output.try_write(6), Err(TryWriteError::Full(6)), "it has gone");
        assert_eq!(read.join(), Ok(5));
    }

    fn a_process_that_tries_lets_the_others_go_on(backend) {
        let (there, back) = (Channel::new(), Channel::new());
        let tries = start!(
            backend,
            (input: Reader<u32> = there.reader(), output: Writer<u32> = back.writer()) -> csp::Result<()> {
                let mut value = loop {
                    if let Some(value) = input.try_read()? {
                        break value;
                    }
                    csp::sleep(Duration::ZERO);
                };
                while let Err(refused) = output.try_write(value) {
                    value = refused.into_full()?;
                    csp::sleep(Duration::ZERO);
                }
                Ok(())
            }
        );
        let (input, output) = (back.reader(), there.writer());
        drop((there, back));
        let reads = start!(backend, (input: Reader<u32> = input) -> csp::Result<u32> { input.read() });
        let writes = start!(backend, (output: Writer<u32> = output) -> () { drop(output.write(7)) });
        assert_eq!(reads.join(), Ok(7));
        assert_eq!(tries.join(), Ok(()));
        writes.join();
    }

    fn no_try_overtakes_a_writer_that_waits(backend) {
        let values = Channel::buffered(1);
        let (output, input) = (values.writer(), values.reader());
        output.write(0).unwrap();
        let arrival = Arrival::new();
        let write = spawn(backend.place(write_once(1, values.writer(), arrival.clone())));
        arrival.until_blocked();
        assert_eq!(output.try_write(2), Err(TryWriteError::Full(2)));
        assert_eq!(input.try_read(), Ok(Some(0)));
        // The room belongs to the writer that waits.
        assert_eq!(output.try_write(3), Err(TryWriteError::Full(3)));
        write.join().unwrap();
        assert_eq!(input.try_iter().collect::<Vec<_>>(), [1]);
    }

    fn a_wait_with_a_limit_leaves_nothing_behind(backend) {
        for capacity in [0, 1] {
            let values = Channel::buffered(capacity);
            let (input, output) = (values.reader(), values.writer());
            let read = spawn(backend.place(read_in_all_ways(values.reader()))).join();
            assert_eq!(read, vec![Ok(None); 5]);
            // No reader stands there any more.
            if capacity > 0 {
                output.write(0).unwrap();
            }
            assert_eq!(output.try_write(9), Err(TryWriteError::Full(9)));
            let written = spawn(backend.place(write_in_all_ways(values.writer()))).join();
            assert_eq!(written, (1..=5).map(|value| Some((value, None))).collect::<Vec<_>>());
            // Nor does a writer.
            let left: Vec<_> = input.try_iter().collect();
            assert_eq!(left, vec![0; capacity]);
        }
    }

    fn a_wait_with_a_limit_ends_when_a_partner_comes(backend) {
        for capacity in [0, 1] {
            let values = Channel::buffered(capacity);
            let input = values.reader();
            let read = start!(backend, (input: Reader<u32> = input) -> csp::Result<Vec<Option<u32>>> {
                let deadline = Instant::now() + EVER;
                Ok(vec![input.read_timeout(EVER)?, input.read_until(deadline)?])
            });
            let output = values.writer();
            let written = start!(backend, (output: Writer<u32> = output) -> Vec<bool> {
                let deadline = Instant::now() + EVER;
                vec![output.write_timeout(1, EVER).is_ok(), output.write_until(2, deadline).is_ok()]
            });
            drop(values);
            assert_eq!(read.join(), Ok(vec![Some(1), Some(2)]));
            assert_eq!(written.join(), [true, true]);
        }
    }

    fn a_wait_with_a_limit_is_woken_by_the_end(backend) {
        let values = Channel::<u32>::new();
        let (reader, writer) = (values.reader(), values.writer());
        let arrival = Arrival::new();
        let read = start!(
            backend,
            (input: Reader<u32> = reader, arrival: Arrival = arrival.clone()) -> csp::Result<Option<u32>> {
                arrival.announce();
                input.read_timeout(EVER)
            }
        );
        arrival.until_blocked();
        writer.poison("enough");
        assert!(matches!(read.join(), Err(Termination::Poisoned(_))));
    }

    fn a_try_is_told_of_retirement(backend) {
        let (for_reader, for_writer) = (Channel::<u32>::buffered(1), Channel::<u32>::buffered(1));
        let (reader, writer) = (for_reader.reader(), for_writer.writer());
        for_reader.writer().retire();
        for_writer.reader().retire();
        let read = spawn(backend.place(read_in_all_ways(reader))).join();
        assert_eq!(read, vec![Err(Termination::Retired); 5]);
        let written = spawn(backend.place(write_in_all_ways(writer))).join();
        let back: Vec<_> = (1..=5).map(|value| Some((value, Some(Termination::Retired)))).collect();
        assert_eq!(written, back);
    }

    fn a_try_is_told_of_poison(backend) {
        let values = Channel::<u32>::buffered(1);
        let (reader, writer) = (values.reader(), values.writer());
        writer.poison("enough");
        let read = spawn(backend.place(read_in_all_ways(reader))).join();
        assert!(read.iter().all(|read| matches!(read, Err(Termination::Poisoned(_)))));
        let written = spawn(backend.place(write_in_all_ways(writer))).join();
        for (value, back) in (1..).zip(written) {
            assert!(matches!(back, Some((same, Some(Termination::Poisoned(_)))) if same == value));
        }
    }

    fn a_try_finds_what_is_left_after_the_last_writer(backend) {
        let values = Channel::buffered(1);
        let (input, output) = (values.reader(), values.writer());
        output.write(1).unwrap();
        output.retire();
        let read = start!(backend, (input: Reader<u32> = input) -> Vec<csp::Result<Option<u32>>> {
            vec![input.try_read(), input.try_read()]
        });
        assert_eq!(read.join(), [Ok(Some(1)), Err(Termination::Retired)]);
    }

    fn a_try_takes_a_value_that_is_made_late(backend) {
        let values = Channel::new();
        let (input, arrival) = (values.reader(), Arrival::new());
        let writes = start!(
            backend,
            (output: Writer<u32> = values.writer(), arrival: Arrival = arrival.clone()) -> csp::Result {
                arrival.announce();
                alt! { output.write(4 + 1) => {} }
            }
        );
        arrival.until_blocked();
        assert_eq!(input.try_read(), Ok(Some(5)));
        let end: csp::Result = writes.join();
        assert_eq!(end, Ok(()));
    }

    fn a_try_writes_to_an_extended_read(backend) {
        let values = Channel::new();
        let (arrival, output) = (Arrival::new(), values.writer());
        let read = start!(
            backend,
            (input: Reader<u32> = values.reader(), arrival: Arrival = arrival.clone()) -> csp::Result<u32> {
                arrival.announce();
                let held = input.begin()?;
                Ok(*held)
            }
        );
        arrival.until_blocked();
        assert_eq!(output.try_write(5), Ok(()));
        assert_eq!(read.join(), Ok(5));
    }

    fn no_value_is_lost_or_doubled_by_tries(backend) {
        let each = backend.many(200, 50);
        for capacity in [0, 1, 4] {
            let values = Channel::buffered(capacity);
            let ledger = Ledger::new(4 * each);
            let tokens = |writer: usize| {
                let ids = writer * each..(writer + 1) * each;
                ids.map(|id| ledger.token(id)).collect::<Vec<_>>()
            };
            let mut writers = Vec::new();
            for writer in 0..4 {
                let source = patient_source(tokens(writer), values.writer());
                writers.push(spawn(backend.place(source)));
            }
            let patient = spawn(backend.place(patient_sink(values.reader())));
            let plain = spawn(backend.place(sink(values.reader())));
            drop(values);
            for writer in writers {
                assert_eq!(writer.join(), Ok(()));
            }
            let mut read: Vec<_> = patient.join().iter().map(|token| token.id()).collect();
            read.extend(plain.join().iter().map(|token| token.id()));
            read.sort_unstable();
            assert_eq!(read, (0..4 * each).collect::<Vec<_>>());
        }
    }
}
