//! Channel ends are values: they travel over channels, and outlive the process that made them.

use crate::processes::{hold, relay, sink, source};
use csp::{Channel, Reader, Termination, Writer, parallel, spawn};
use csp_tests::{Placement, Wire, laws, multiprocess};
#[cfg(feature = "subprocess")]
use serde::{Deserialize, Serialize};

#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Request {
    number: u64,
    reply: Writer<u64>,
}

#[multiprocess]
fn squares(requests: Reader<Request>) -> csp::Result {
    loop {
        let Request { number, reply } = requests.read()?;
        let _ = reply.write(number * number);
    }
}

#[multiprocess]
fn asks(numbers: std::ops::Range<u64>, server: Writer<Request>) -> csp::Result<Vec<u64>> {
    let mut answers = Vec::new();
    for number in numbers {
        let reply = Channel::new();
        let answer = reply.reader();
        server.write(Request { number, reply: reply.writer() })?;
        answers.push(answer.read()?);
    }
    Ok(answers)
}

/// Makes a channel, writes both ends and returns.
#[multiprocess]
fn makes_a_channel(readers: Writer<Reader<u32>>, writers: Writer<Writer<u32>>) -> csp::Result {
    let made = Channel::new();
    readers.write(made.reader())?;
    writers.write(made.writer())?;
    Ok(())
}

#[multiprocess]
fn reads_from_what_it_receives<T: Wire>(ends: Reader<Reader<T>>) -> csp::Result<Vec<T>> {
    let mut all = Vec::new();
    for end in &ends {
        all.extend(end.iter());
    }
    Ok(all)
}

#[multiprocess]
fn writes_to_what_it_receives(
    ends: Reader<Writer<u32>>,
    go: Option<Reader<()>>,
) -> csp::Result<u32> {
    if let Some(go) = go {
        let _ = go.read();
    }
    let mut count = 0;
    for end in &ends {
        end.write(count)?;
        count += 1;
    }
    Ok(count)
}

/// Starts a pipeline and returns its ends. The processes in it are joined only when this process's
/// parent asks.
#[multiprocess]
fn factory(
    backend: Placement,
    requests: Reader<Writer<(Writer<u32>, Reader<u32>)>>,
) -> csp::Result {
    for reply in &requests {
        let (first, second) = (Channel::new(), Channel::new());
        let _ = spawn(backend.place(relay(first.reader(), second.writer())));
        reply.write((first.writer(), second.reader()))?;
    }
    Ok(())
}

laws! {
    fn a_reader_travels(backend) {
        let (ends, values) = (Channel::new(), Channel::new());
        let (_, _, read) = parallel!(
            backend.place(source(vec![values.reader()], ends.writer())),
            backend.place(source(vec![1, 2, 3], values.writer())),
            backend.place(reads_from_what_it_receives(ends.reader())),
        );
        assert_eq!(read, Ok(vec![1, 2, 3]));
    }

    fn a_writer_travels(backend) {
        let (ends, values) = (Channel::new(), Channel::new());
        let writers = (0..4).map(|_| values.writer()).collect();
        let (_, count, read) = parallel!(
            backend.place(source(writers, ends.writer())),
            backend.place(writes_to_what_it_receives(ends.reader(), None)),
            backend.place(sink(values.reader())),
        );
        assert_eq!(count, Ok(4));
        assert_eq!(read, [0, 1, 2, 3]);
    }

    fn a_reply_comes_over_a_channel_sent_with_the_request(backend) {
        let requests = Channel::new();
        let (ends, answers) = parallel!(
            backend.replicas(3, squares(requests.reader())),
            (0..5)
                .map(|n| backend.place(asks(10 * n..10 * n + 10, requests.writer())))
                .collect::<Vec<_>>(),
        );
        assert_eq!(ends, vec![Err(Termination::Retired); 3]);
        for (n, answers) in answers.into_iter().enumerate() {
            let n = n as u64;
            assert_eq!(answers, Ok((10 * n..10 * n + 10).map(|number| number * number).collect()));
        }
    }

    fn an_end_outlives_the_process_that_made_its_channel(backend) {
        let (readers, writers) = (Channel::new(), Channel::new());
        let (reader_end, writer_end) = (readers.reader(), writers.reader());
        let maker = spawn(backend.place(makes_a_channel(readers.writer(), writers.writer())));
        let (reader, writer) = (reader_end.read().unwrap(), writer_end.read().unwrap());
        assert_eq!(maker.join(), Ok(()));
        let (end, read) = parallel!(
            backend.place(source((0..20).collect(), writer)),
            backend.place(sink(reader)),
        );
        assert_eq!(end, Ok(()));
        assert_eq!(read, (0..20).collect::<Vec<_>>());
    }

    fn an_end_on_its_way_counts(backend) {
        let (ends, values, go) = (Channel::new(), Channel::<u32>::new(), Channel::new());
        let release = go.writer();
        let source = spawn(backend.place(source(vec![values.writer()], ends.writer())));
        let late =
            spawn(backend.place(writes_to_what_it_receives(ends.reader(), Some(go.reader()))));
        let reader = values.reader();
        // The only writer is held by a process that waits to pass it on.
        csp_tests::settle();
        assert_eq!(reader.termination(), None);
        release.write(()).unwrap();
        assert_eq!(reader.read(), Ok(0));
        assert_eq!(reader.read(), Err(Termination::Retired));
        assert_eq!((source.join(), late.join()), (Ok(()), Ok(1)));
    }

    fn an_end_left_in_a_buffer_goes_with_it(backend) {
        let (ends, values) = (Channel::buffered(2), Channel::<u32>::new());
        let reader = values.reader();
        let receiver = ends.reader();
        spawn(backend.place(source(vec![values.writer(), values.writer()], ends.writer())))
            .join()
            .unwrap();
        assert_eq!(reader.termination(), None, "two writers are in the buffer");
        receiver.poison("nobody wants them");
        assert!(reader.read().is_err(), "no writer is left");
    }

    fn an_end_that_comes_back_undelivered_is_whole(backend) {
        let (ends, values) = (Channel::new(), Channel::<u32>::new());
        ends.reader().retire();
        let sender = ends.writer();
        let writer = sender.write(values.writer()).unwrap_err().into_inner();
        let sink = spawn(backend.place(sink(values.reader())));
        writer.write(3).unwrap();
        writer.retire();
        assert_eq!(sink.join(), [3]);
    }

    fn an_end_travels_over_its_own_kind(backend) {
        // A channel whose values are the far end of the next hop: a linked list of channels.
        #[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
        struct Hop(u32, Option<Reader<Hop>>);

        let mut next = None;
        let mut writers = Vec::new();
        for number in (0..10).rev() {
            let hop = Channel::new();
            writers.push(backend.place(source(vec![Hop(number, next)], hop.writer())));
            next = Some(hop.reader());
        }
        let writers = spawn(writers);
        let mut seen = Vec::new();
        while let Some(Hop(number, further)) = next.map(|hop| hop.read().unwrap()) {
            seen.push(number);
            next = further;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        for writer in writers {
            writer.join().unwrap();
        }
    }

    fn a_network_is_made_on_request(backend) {
        let requests = Channel::new();
        let factory = spawn(backend.place(factory(backend.clone(), requests.reader())));
        let asking = requests.writer();
        for number in 0..10 {
            let reply = Channel::new();
            let answer = reply.reader();
            asking.write(reply.writer()).unwrap();
            let (input, output) = answer.read().unwrap();
            input.write(number).unwrap();
            assert_eq!(output.read(), Ok(number));
        }
        asking.retire();
        assert_eq!(factory.join(), Ok(()));
    }

    fn ends_in_the_hands_of_a_holder_are_nobody_elses(backend) {
        let (values, go) = (Channel::<u32>::new(), Channel::new());
        let held = spawn(backend.place(hold(vec![values.writer(), values.writer()], go.reader())));
        let reader = values.reader();
        let sink = spawn(backend.place(sink(reader)));
        csp_tests::settle();
        go.writer().retire();
        held.join();
        assert!(sink.join().is_empty());
    }
}
