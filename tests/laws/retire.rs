//! The last end of a side ends the channel for good, for processes that wait and for processes that come later.

use crate::processes::{hold, read_once, relay, sink, source, write_once};
use csp::{Channel, Reader, Termination, Writer, parallel, spawn};
use csp_tests::{Arrival, Ledger, laws, multiprocess, retired};

#[multiprocess]
fn take(count: usize, input: Reader<u32>) -> csp::Result<Vec<u32>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(input.read()?);
    }
    Ok(all)
}

laws! {
    fn the_last_writer_ends_the_channel_for_a_waiting_reader(backend) {
        let values = Channel::<u32>::new();
        let (first, second, last) = (values.writer(), values.writer(), values.writer());
        let arrival = Arrival::new();
        let reader = spawn(backend.place(read_once(values.reader(), arrival.clone())));
        arrival.until_blocked();
        first.retire();
        drop(second);
        assert_eq!(last.termination(), None, "one writer is left");
        drop(last);
        assert_eq!(reader.join(), Err(Termination::Retired));
    }

    fn the_last_writer_ends_the_channel_for_every_waiting_reader(backend) {
        let values = Channel::<u32>::new();
        let writer = values.writer();
        let mut readers = Vec::new();
        for _ in 0..6 {
            let arrival = Arrival::new();
            readers.push(spawn(backend.place(read_once(values.reader(), arrival.clone()))));
            arrival.until_blocked();
        }
        writer.retire();
        for reader in readers {
            assert_eq!(reader.join(), Err(Termination::Retired));
        }
    }

    fn the_last_reader_gives_every_waiting_writer_its_value_back(backend) {
        let ledger = Ledger::new(6);
        let values = Channel::new();
        let (first, last) = (values.reader(), values.reader());
        let mut writers = Vec::new();
        for id in 0..6 {
            let arrival = Arrival::new();
            let write = write_once(ledger.token(id), values.writer(), arrival.clone());
            writers.push(spawn(backend.place(write)));
            arrival.until_blocked();
        }
        first.retire();
        last.retire();
        for (id, writer) in writers.into_iter().enumerate() {
            let error = writer.join().unwrap_err();
            assert!(retired(&error.termination));
            assert_eq!(error.into_inner().id(), id);
        }
        ledger.balance();
    }

    fn the_last_of_several_writers_is_what_counts(backend) {
        let (values, go) = (Channel::<u32>::new(), Channel::new());
        let (writer, release) = (values.writer(), go.writer());
        let holders: Vec<_> =
            (0..3).map(|_| spawn(backend.place(hold(values.writer(), go.reader())))).collect();
        let reader = spawn(backend.place(sink(values.reader())));
        for value in 0..3 {
            writer.write(value).unwrap();
            release.write(()).unwrap();
        }
        for holder in holders {
            holder.join();
        }
        writer.write(100).unwrap();
        writer.retire();
        assert_eq!(reader.join(), [0, 1, 2, 100]);
    }

    fn a_process_retires_its_ends_when_it_ends(backend) {
        let values = Channel::new();
        let (end, read) = parallel!(
            backend.place(source(vec![1, 2, 3], values.writer())),
            backend.place(sink(values.reader())),
        );
        assert_eq!(end, Ok(()));
        assert_eq!(read, [1, 2, 3]);
        let values = Channel::new();
        let (end, read) = parallel!(
            backend.place(source(vec![1, 2, 3], values.writer())),
            backend.place(take(2, values.reader())),
        );
        assert_eq!(end, Err(Termination::Retired));
        assert_eq!(read, Ok(vec![1, 2]));
    }

    fn retirement_runs_down_a_pipeline(backend) {
        let links = 5 * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(relay(pair[0].reader(), pair[1].writer())))
            .collect();
        let (_, ends, read) = parallel!(
            backend.place(source((0..20).collect(), links[0].writer())),
            relays,
            backend.place(sink(links[4].reader())),
        );
        assert_eq!(ends, vec![Err(Termination::Retired); 4]);
        assert_eq!(read, (0..20).collect::<Vec<_>>());
    }

    fn retirement_runs_up_a_pipeline(backend) {
        let links = 5 * Channel::new();
        let relays: Vec<_> = links
            .windows(2)
            .map(|pair| backend.place(relay(pair[0].reader(), pair[1].writer())))
            .collect();
        let (end, ends, read) = parallel!(
            backend.place(source((0..).take(1_000_000).collect(), links[0].writer())),
            relays,
            backend.place(take(10, links[4].reader())),
        );
        assert_eq!(end, Err(Termination::Retired));
        assert_eq!(ends, vec![Err(Termination::Retired); 4]);
        assert_eq!(read, Ok((0..10).collect()));
    }

    fn a_retired_channel_stays_retired(backend) {
        let values = Channel::new();
        values.writer().retire();
        let (reader, writer) = (values.reader(), values.writer());
        let arrival = Arrival::new();
        for _ in 0..3 {
            assert_eq!(reader.read(), Err(Termination::Retired));
            assert_eq!(writer.write(7).unwrap_err().into_inner(), 7);
            assert_eq!(reader.termination(), Some(Termination::Retired));
            assert_eq!(writer.termination(), Some(Termination::Retired));
        }
        let (read, write) = parallel!(
            backend.place(read_once(values.reader(), arrival.clone())),
            backend.place(write_once(8, values.writer(), arrival)),
        );
        assert_eq!(read, Err(Termination::Retired));
        assert_eq!(write.unwrap_err().into_inner(), 8);
    }

    fn a_channel_that_lost_its_readers_stays_retired(backend) {
        let values = Channel::new();
        values.reader().retire();
        let error = values.writer().write(1).unwrap_err();
        assert!(retired(&error.termination));
        let (_, read) = parallel!(
            backend.place(source(vec![1, 2], values.writer())),
            backend.place(read_once(values.reader(), Arrival::new())),
        );
        assert_eq!(read, Err(Termination::Retired));
    }

    fn an_iteration_ends_with_the_channel(backend) {
        let values = Channel::new();
        let reader = values.reader();
        let source = spawn(backend.place(source(vec![3, 4, 5], values.writer())));
        let mut sum = 0;
        for value in &reader {
            sum += value;
        }
        assert_eq!(sum, 12);
        assert_eq!(reader.termination(), Some(Termination::Retired));
        assert_eq!(reader.iter().next(), None);
        assert_eq!(source.join(), Ok(()));
    }

    fn an_iteration_by_value_retires_its_end(backend) {
        let values = Channel::new();
        let source = spawn(backend.place(source(vec![3, 4, 5], values.writer())));
        let mut iteration = values.reader().into_iter();
        assert_eq!(iteration.next(), Some(3));
        drop(iteration);
        assert_eq!(source.join(), Err(Termination::Retired));
    }

    fn main_retires_like_any_process(backend) {
        let values = Channel::new();
        let sink = spawn(backend.place(sink(values.reader())));
        let writer: Writer<u32> = values.writer();
        for value in 0..10 {
            writer.write(value).unwrap();
        }
        drop(writer);
        assert_eq!(sink.join(), (0..10).collect::<Vec<_>>());
    }
}
