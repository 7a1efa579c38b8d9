//! A buffered channel holds a number of values, and delivers them before its end.

use crate::processes::{read_once, sink, source, write_once};
use csp::{Channel, Termination, parallel, spawn};
use csp_tests::{Arrival, Ledger, laws, retired};

laws! {
    fn a_buffer_takes_n_values_before_a_write_waits(backend) {
        for capacity in [1, 3, 10] {
            let values = Channel::buffered(capacity);
            let (reader, _kept) = (values.reader(), values.writer());
            let end = spawn(backend.place(source((0..capacity).collect(), values.writer()))).join();
            assert_eq!(end, Ok(()), "no reader was needed");
            let arrival = Arrival::new();
            let write =
                spawn(backend.place(write_once(capacity, values.writer(), arrival.clone())));
            arrival.until_blocked();
            for expected in 0..=capacity {
                assert_eq!(reader.read(), Ok(expected));
            }
            write.join().unwrap();
        }
    }

    fn any_capacity_passes_values(backend) {
        let half = 1 << (usize::BITS - 1);
        for capacity in [0, 1, half - 1, half, half + 1, usize::MAX - 1, usize::MAX] {
            let values = Channel::buffered(capacity);
            let write = spawn(backend.place(source(vec![1, 2, 3], values.writer())));
            let reader = values.reader();
            drop(values);
            assert_eq!(reader.iter().collect::<Vec<_>>(), [1, 2, 3]);
            write.join().unwrap();
        }
    }

    fn a_buffer_of_none_is_a_rendezvous(backend) {
        let values = Channel::buffered(0);
        let arrival = Arrival::new();
        let write = spawn(backend.place(write_once(5, values.writer(), arrival.clone())));
        arrival.until_blocked();
        assert_eq!(values.reader().read(), Ok(5));
        write.join().unwrap();
    }

    fn what_is_buffered_is_delivered_before_the_end(backend) {
        let values = Channel::buffered(10);
        let reader = values.reader();
        let end = spawn(backend.place(source((0..10).collect(), values.writer()))).join();
        assert_eq!(end, Ok(()));
        // The only writer has gone, and nothing is lost.
        assert_eq!(reader.termination(), None, "not while there is something to read");
        let read = spawn(backend.place(sink(reader.clone()))).join();
        assert_eq!(read, (0..10).collect::<Vec<_>>());
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn what_is_buffered_is_delivered_to_any_reader(backend) {
        let values = Channel::buffered(30);
        let readers = backend.replicas(3, sink(values.reader()));
        spawn(backend.place(source((0..30).collect(), values.writer()))).join().unwrap();
        let (read,) = parallel!(readers);
        let mut all: Vec<u32> = read.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<_>>());
    }

    fn writers_see_retirement_at_once_although_there_is_room(backend) {
        let values = Channel::buffered(10);
        let writer = values.writer();
        writer.write(1).unwrap();
        values.reader().retire();
        let error = spawn(backend.place(write_once(2, writer, Arrival::new()))).join().unwrap_err();
        assert!(retired(&error.termination));
        assert_eq!(error.into_inner(), 2);
    }

    fn a_blocked_writer_enters_when_a_slot_is_free(backend, here: "a process that sleeps in another OS process need not have come to the channel yet") {
        let values = Channel::buffered(2);
        let (first, reader) = (values.writer(), values.reader());
        first.write(0).unwrap();
        first.write(1).unwrap();
        let mut writes = Vec::new();
        for value in 2..5 {
            let arrival = Arrival::new();
            writes.push(spawn(backend.place(write_once(value, values.writer(), arrival.clone()))));
            arrival.until_blocked();
        }
        for (expected, write) in writes.into_iter().enumerate() {
            // Each freed slot admits the next writer, before the value is read.
            assert_eq!(reader.read(), Ok(expected));
            write.join().unwrap();
        }
        first.retire();
        assert_eq!(reader.iter().collect::<Vec<_>>(), [3, 4]);
    }

    fn a_waiting_reader_needs_no_slot(backend) {
        let values = Channel::buffered(1);
        let (reader, arrival) = (values.reader(), Arrival::new());
        let read = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        let writer = values.writer();
        writer.write(1).unwrap();
        writer.write(2).unwrap();
        assert_eq!(read.join(), Ok(1));
        assert_eq!(reader.read(), Ok(2));
    }

    fn what_nobody_will_read_is_dropped_once(backend) {
        let ledger = Ledger::new(5);
        let values = Channel::buffered(5);
        let reader = values.reader();
        let tokens = (0..5).map(|id| ledger.token(id)).collect();
        let end = spawn(backend.place(source(tokens, values.writer()))).join();
        assert_eq!(end, Ok(()));
        assert_eq!(reader.read().map(|token| token.id()), Ok(0));
        if !backend.has_os_processes() {
            // This holds only while the value is not encoded as bytes.
            assert_eq!(ledger.dropped(), 1);
        }
        // The value is dropped at once, although a writer may still come, and a reader would come too late.
        drop(reader);
        ledger.balance();
        assert_eq!(values.reader().read().map(|token| token.id()), Err(Termination::Retired));
    }

    fn poison_ends_what_retirement_left_to_read(backend) {
        let ledger = Ledger::new(3);
        let values = Channel::buffered(3);
        let (reader, other) = (values.reader(), values.reader());
        let tokens = (0..3).map(|id| ledger.token(id)).collect();
        spawn(backend.place(source(tokens, values.writer()))).join().unwrap();
        drop(reader.read());
        if !backend.has_os_processes() {
            assert_eq!(ledger.dropped(), 1);
        }
        other.poison("no more of it");
        ledger.balance();
        assert!(matches!(reader.read(), Err(Termination::Poisoned(_))));
    }

    fn a_value_held_keeps_its_room(backend) {
        let values = Channel::buffered(1);
        let (reader, writer) = (values.reader(), values.writer());
        writer.write(1).unwrap();
        let held = reader.begin().unwrap();
        let arrival = Arrival::new();
        let write = spawn(backend.place(write_once(2, values.writer(), arrival.clone())));
        arrival.until_blocked();
        assert!(!write.has_ended());
        drop(held);
        write.join().unwrap();
        assert_eq!(reader.read(), Ok(2));
    }

    fn a_buffer_keeps_its_channel_no_longer_than_its_ends(backend) {
        let ledger = Ledger::new(3);
        let values = Channel::buffered(3);
        let tokens = (0..3).map(|id| ledger.token(id)).collect();
        let process = backend.place(source(tokens, values.writer()));
        assert_eq!(spawn(process).join(), Ok(()), "a reader may still come");
        let reader = values.reader();
        drop(values);
        let read = reader.iter().map(|token| token.id()).collect::<Vec<_>>();
        assert_eq!(read, [0, 1, 2]);
        ledger.balance();
    }

    fn channels_are_multiplied_with_their_buffers(backend) {
        let channels = 3 * Channel::buffered(2);
        assert_eq!(channels.len(), 3);
        for values in &channels {
            let reader = values.reader();
            let end = spawn(backend.place(source(vec![1, 2], values.writer()))).join();
            assert_eq!(end, Ok(()));
            assert_eq!(reader.iter().collect::<Vec<_>>(), [1, 2]);
        }
        let channels = 2 * Channel::<u8>::new();
        assert_eq!(channels.len(), 2);
        // They are different channels: the end of one is not the end of the other.
        channels[0].writer().retire();
        assert_eq!(channels[1].reader().termination(), None);
        assert!((0 * Channel::<u8>::new()).is_empty());
    }
}
