//! Poison ends a channel at once for all processes, and carries its reason.

use crate::processes::{read_once, sink, source, write_once};
use csp::{Channel, Termination, parallel, spawn};
use csp_tests::{Arrival, Ledger, laws, poisoned_by_reason, settle};

#[track_caller]
fn assert_reason(termination: &Termination, expected: &str) {
    assert_eq!(poisoned_by_reason(termination).as_deref(), Some(expected), "{termination:?}");
}

laws! {
    fn poison_wakes_a_blocked_reader(backend) {
        for _ in 0..20 {
            let values = Channel::<u32>::new();
            let arrival = Arrival::new();
            let reader = spawn(backend.place(read_once(values.reader(), arrival.clone())));
            arrival.until_blocked();
            values.writer().poison("enough");
            assert_reason(&reader.join().unwrap_err(), "enough");
        }
    }

    fn poison_takes_no_value_whose_write_has_returned(backend) {
        for round in 0..20 {
            let values = Channel::<u32>::new();
            let (first, second) = (Arrival::new(), Arrival::new());
            let one = spawn(backend.place(read_once(values.reader(), first.clone())));
            first.until_blocked();
            let other = spawn(backend.place(read_once(values.reader(), second.clone())));
            second.until_blocked();
            let writer = values.writer();
            writer.write(round).unwrap();
            writer.poison("afterwards");
            let mut read = [one, other].map(|reader| reader.join());
            read.sort_by_key(Result::is_err);
            assert_eq!(read[0], Ok(round));
            assert_reason(read[1].as_ref().unwrap_err(), "afterwards");
        }
    }

    fn poison_wakes_every_blocked_reader(backend) {
        let values = Channel::<u32>::new();
        let mut readers = Vec::new();
        for _ in 0..8 {
            let arrival = Arrival::new();
            readers.push(spawn(backend.place(read_once(values.reader(), arrival.clone()))));
            arrival.until_blocked();
        }
        values.reader().poison("by one of their own");
        for reader in readers {
            assert_reason(&reader.join().unwrap_err(), "by one of their own");
        }
    }

    fn poison_gives_every_blocked_writer_its_value_back(backend) {
        for capacity in [0, 3] {
            let ledger = Ledger::new(capacity + 8);
            let values = if capacity == 0 { Channel::new() } else { Channel::buffered(capacity) };
            let full = values.writer();
            for id in 0..capacity {
                full.write(ledger.token(id)).unwrap();
            }
            let mut writers = Vec::new();
            for id in capacity..capacity + 8 {
                let arrival = Arrival::new();
                let write = write_once(ledger.token(id), values.writer(), arrival.clone());
                writers.push((id, spawn(backend.place(write))));
                arrival.until_blocked();
            }
            values.reader().poison("full");
            for (id, writer) in writers {
                let error = writer.join().unwrap_err();
                assert_reason(&error.termination, "full");
                assert_eq!(error.into_inner().id(), id);
            }
            ledger.balance();
        }
    }

    fn poison_drops_what_is_buffered(backend) {
        let ledger = Ledger::new(5);
        let values = Channel::buffered(5);
        let written =
            backend.place(source((0..5).map(|id| ledger.token(id)).collect(), values.writer()));
        let (writer, reader) = (values.writer(), values.reader());
        assert_eq!(spawn(written).join(), Ok(()));
        if !backend.has_os_processes() {
            // This holds only while the value is not encoded as bytes.
            assert_eq!(ledger.dropped(), 0);
        }
        writer.poison("spoilt");
        ledger.balance();
        assert_reason(&reader.read().unwrap_err(), "spoilt");
    }

    fn poison_meets_those_who_come_later(backend) {
        let values = Channel::buffered(2);
        let writer = values.writer();
        writer.clone().poison("early");
        let (read, write) = parallel!(
            backend.place(read_once(values.reader(), Arrival::new())),
            backend.place(write_once(4, values.writer(), Arrival::new())),
        );
        assert_reason(&read.unwrap_err(), "early");
        let error = write.unwrap_err();
        assert_reason(&error.termination, "early");
        assert_eq!(error.into_inner(), 4);
        assert_reason(&writer.termination().expect("it has ended"), "early");
    }

    fn a_poisoned_iteration_ends_and_says_why(backend) {
        let values = Channel::<u32>::new();
        let reader = values.reader();
        let poisoner =
            spawn(backend.place(crate::propagation::poisons(values.writer(), "iteration".into())));
        assert_eq!(reader.iter().count(), 0);
        assert_reason(&reader.termination().expect("it has ended"), "iteration");
        poisoner.join();
    }

    fn the_first_poison_stays(backend) {
        let values = Channel::<u32>::new();
        let (writer, reader) = (values.writer(), values.reader());
        values.writer().poison("first");
        values.reader().poison("second");
        let late = spawn(backend.place(read_once(reader, Arrival::new())));
        assert_reason(&late.join().unwrap_err(), "first");
        assert_reason(&writer.termination().expect("it has ended"), "first");
    }

    fn one_poison_is_equal_to_itself_only(backend) {
        let (one, other) = (Channel::<u32>::new(), Channel::<u32>::new());
        one.writer().poison("same words");
        other.writer().poison("same words");
        let (first, second, third) = parallel!(
            backend.place(read_once(one.reader(), Arrival::new())),
            backend.place(read_once(one.reader(), Arrival::new())),
            backend.place(read_once(other.reader(), Arrival::new())),
        );
        assert_eq!(first, second);
        assert_ne!(first, third);
        assert_ne!(first, Err(Termination::Retired));
    }

    fn poison_speaks_in_its_display(backend) {
        let values = Channel::<u32>::new();
        values.writer().poison("no paper left");
        let end =
            spawn(backend.place(read_once(values.reader(), Arrival::new()))).join().unwrap_err();
        assert!(format!("{end:#}").contains("no paper left"), "{end:#}");
        let write = values.writer().write(1).unwrap_err();
        assert!(format!("{write:#}").contains("no paper left"), "{write:#}");
        let end: Box<dyn std::error::Error> = Box::new(end);
        assert!(!end.to_string().is_empty());
        let source = end.source().expect("it tells the cause");
        assert!(source.to_string().contains("no paper left"), "{source}");
    }

    fn a_plain_thread_poisons_too(backend) {
        let values = Channel::<u32>::new();
        let arrival = Arrival::new();
        let reader = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        let writer = values.writer();
        let thread = std::thread::spawn(move || writer.poison("from outside"));
        assert_reason(&reader.join().unwrap_err(), "from outside");
        thread.join().unwrap();
    }

    fn a_communication_made_before_the_poison_stands(backend) {
        let ledger = Ledger::new(1);
        let values = Channel::new();
        let arrival = Arrival::new();
        let reader = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        let writer = values.writer();
        writer.write(ledger.token(0)).unwrap();
        writer.poison("too late");
        assert_eq!(reader.join().unwrap().id(), 0);
        ledger.balance();
    }

    fn poison_and_a_read_leave_the_value_in_one_place(backend) {
        for round in 0..100 {
            let ledger = Ledger::new(1);
            let values = Channel::new();
            let writer =
                spawn(backend.place(write_once(ledger.token(0), values.writer(), Arrival::new())));
            let reader = spawn(backend.place(read_once(values.reader(), Arrival::new())));
            for _ in 0..round % 4 {
                settle();
            }
            values.writer().poison("race");
            match (writer.join(), reader.join()) {
                (Ok(()), Ok(value)) => assert_eq!(value.id(), 0),
                (Err(error), Err(termination)) => {
                    assert_eq!(error.termination, termination);
                    assert_eq!(error.into_inner().id(), 0);
                }
                (write, read) => panic!("the two disagree: {write:?}, {read:?}"),
            }
            ledger.balance();
        }
    }

    fn poison_ends_a_whole_crowd(backend) {
        let values = Channel::new();
        let readers = spawn(backend.replicas(10, sink(values.reader())));
        let writers = spawn(
            backend.replicas(10, source((0..100_000).collect::<Vec<u32>>(), values.writer())),
        );
        settle();
        values.reader().poison("all out");
        for writer in writers {
            assert_reason(&writer.join().unwrap_err(), "all out");
        }
        for reader in readers {
            reader.join();
        }
    }
}
