//! Extended rendezvous: the writer waits until the reader has finished with the value, not only
//! until the reader has it.

use crate::processes::{read_once, source, write_once};
use csp::{Channel, Reader, Termination, Writer, parallel, spawn};
use csp_tests::{Arrival, Ledger, Notes, laws, multiprocess, poisoned_by_reason};

#[multiprocess]
fn writes_and_logs(count: u32, output: Writer<u32>, entries: Notes) -> csp::Result {
    for number in 0..count {
        output.write(number)?;
        entries.push(format!("released {number}"));
    }
    Ok(())
}

#[multiprocess]
fn works_while_the_writer_waits(input: Reader<u32>, go: Reader<()>, entries: Notes) -> csp::Result {
    loop {
        let value = input.begin()?;
        let number = *value;
        for _ in 0..3 {
            go.read()?;
        }
        entries.push(format!("finished {number}"));
        drop(value);
    }
}

#[multiprocess]
fn passes_on_within(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    loop {
        let mut value = input.begin()?;
        *value += 1;
        output.write(*value)?;
    }
}

#[multiprocess]
fn ticks(count: usize, output: Writer<()>) -> csp::Result {
    for _ in 0..count {
        output.write(())?;
    }
    Ok(())
}

laws! {
    fn the_writer_is_released_when_the_guard_is_dropped(backend) {
        let (values, go) = (Channel::new(), Channel::new());
        let entries = Notes::new();
        let (write, _, _) = parallel!(
            backend.place(writes_and_logs(5, values.writer(), entries.clone())),
            backend.place(works_while_the_writer_waits(
                values.reader(),
                go.reader(),
                entries.clone()
            )),
            backend.place(ticks(15, go.writer())),
        );
        assert_eq!(write, Ok(()));
        let entries = entries.entries();
        for number in 0..5 {
            let place = |what: &str| {
                entries.iter().position(|entry| *entry == format!("{what} {number}")).unwrap()
            };
            assert!(place("finished") < place("released"), "{entries:?}");
        }
    }

    fn the_value_is_taken_out_or_used_in_place(backend) {
        let ledger = Ledger::new(3);
        let values = Channel::new();
        let source = spawn(
            backend.place(source((0..3).map(|id| ledger.token(id)).collect(), values.writer())),
        );
        let reader = values.reader();
        let first = reader.begin().unwrap();
        assert_eq!(first.id(), 0);
        drop(first);
        let second = reader.begin().unwrap().into_inner();
        assert_eq!(second.id(), 1);
        if !backend.has_os_processes() {
            // In another OS process the writer has a copy, until it may go on.
            assert_eq!(ledger.dropped(), 1);
        }
        drop(second);
        let mut third = reader.begin().unwrap();
        let taken = std::mem::replace(&mut *third, Ledger::new(1).token(0));
        assert_eq!(taken.id(), 2);
        drop((third, taken));
        assert_eq!(source.join(), Ok(()));
        ledger.balance();
    }

    fn a_chain_of_guards_makes_a_chain_of_waits(backend) {
        let links = 4 * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(passes_on_within(pair[0].reader(), pair[1].writer())))
            .collect();
        let relays = spawn(relays);
        let entries = Notes::new();
        let writer = spawn(backend.place(writes_and_logs(10, links[0].writer(), entries.clone())));
        let reader = links[3].reader();
        for number in 0..10 {
            let value = reader.begin().unwrap();
            csp_tests::settle();
            assert_eq!(*value, number + 3);
            let released = entries.entries().len() as u32;
            assert!(released <= number, "the first writer waits for the last reader");
            drop(value);
        }
        assert_eq!(writer.join(), Ok(()));
        for relay in relays {
            assert_eq!(relay.join(), Err(Termination::Retired));
        }
    }

    fn others_communicate_meanwhile(backend) {
        let values = Channel::new();
        let first = spawn(backend.place(write_once(1, values.writer(), Arrival::new())));
        let reader = values.reader();
        let held = reader.begin().unwrap();
        assert_eq!(*held, 1);
        // The channel itself is free, so another pair can meet on it.
        let (write, read) = parallel!(
            backend.place(write_once(2, values.writer(), Arrival::new())),
            backend.place(read_once(values.reader(), Arrival::new())),
        );
        write.unwrap();
        assert_eq!(read, Ok(2));
        drop(held);
        first.join().unwrap();
    }

    fn poison_does_not_revoke_an_extended_rendezvous(backend) {
        let values = Channel::new();
        let entries = Notes::new();
        let writer = spawn(backend.place(writes_and_logs(2, values.writer(), entries.clone())));
        let reader = values.reader();
        let held = reader.begin().unwrap();
        values.reader().poison("meanwhile");
        csp_tests::settle();
        assert!(
            entries.entries().is_empty(),
            "the writer is not released before the guard is dropped"
        );
        entries.push("finished 0");
        drop(held);
        let end = writer.join().unwrap_err();
        assert_eq!(poisoned_by_reason(&end).as_deref(), Some("meanwhile"));
        assert_eq!(entries.entries(), ["finished 0", "released 0"]);
    }

    fn a_retired_channel_has_nothing_to_begin(backend) {
        let values = Channel::<u32>::new();
        let (reader, writer) = (values.reader(), values.writer());
        let retirer = spawn(backend.place(source(Vec::new(), writer)));
        assert_eq!(reader.begin().err(), Some(Termination::Retired));
        assert_eq!(retirer.join(), Ok(()));
    }

    fn a_buffered_value_may_be_held_too(backend) {
        let values = Channel::buffered(3);
        let source = spawn(backend.place(source((0..10).collect(), values.writer())));
        let reader = values.reader();
        for expected in 0..10 {
            let value = reader.begin().unwrap();
            csp_tests::settle();
            assert_eq!(*value, expected);
        }
        assert_eq!(source.join(), Ok(()));
        assert_eq!(reader.begin().err(), Some(Termination::Retired));
    }
}
