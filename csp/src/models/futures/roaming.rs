//! Streams and sinks that one thread polls first and another later, or drops, while a third commits what they offer.

use loom::sync::mpsc;

use futures_sink::Sink as _;

use super::*;
use crate::channel::awaited::{ReaderStream, WriterSink};
use crate::report::termination::WriteError;

/// Polls a future once, with a waker of nobody's, and drops it.
fn once_elsewhere<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Waking::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

type Item = Option<Got>;

fn got_by(item: Option<Result<Value, Termination>>) -> Item {
    item.map(|value| Ok(value?.0))
}

/// Waits for the next value.
fn next(stream: &mut ReaderStream<Value>) -> Item {
    got_by(drive_elsewhere(stream.next()))
}

/// Asks for the next value once, and gives the stream away.
fn begin(mut stream: ReaderStream<Value>, to: &mpsc::Sender<ReaderStream<Value>>) -> Option<Item> {
    let first = once_elsewhere(stream.next()).map(got_by);
    to.send(stream).unwrap();
    first
}

fn came_back(error: WriteError<Value>) -> (u8, How) {
    let ended = error.termination.clone();
    (error.into_inner().0, ended.into())
}

/// Offers a value, and gives the sink away.
fn offer(mut sink: WriterSink<Value>, to: &mpsc::Sender<WriterSink<Value>>) -> Option<Wrote> {
    let sent = once_elsewhere(sink.send(Value::new(1)));
    to.send(sink).unwrap();
    sent.map(|sent| sent.map_err(came_back))
}

/// Waits until the value of the sink is written.
fn flush(sink: &mut WriterSink<Value>) -> Result<(), How> {
    let flushed = drive_elsewhere(poll_fn(|waking| Pin::new(&mut *sink).poll_flush(waking)));
    flushed.map_err(How::from)
}

#[test]
fn a_stream_changes_threads() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (stream, writer) = (channel.reader().stream(), channel.writer());
        let (to, from) = mpsc::channel();
        (
            move || begin(stream, &to),
            move || {
                let mut stream = from.recv().unwrap();
                [next(&mut stream), next(&mut stream)]
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, [Some(Ok(1)), None], Ok(())),
            (Some(Some(Ok(1))), [None, None], Ok(())),
        ])
    );
}

/// The process that has polled it first is not woken, and need not be there any more.
#[test]
fn a_stream_leaves_an_async_process() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (mut stream, writer) = (channel.reader().stream(), channel.writer());
        let (to, from) = mpsc::channel();
        let beginning = async move {
            let first = once(stream.next()).await.map(got_by);
            to.send(stream).unwrap();
            first
        };
        (
            move || drive(beginning),
            move || next(&mut from.recv().unwrap()),
            move || write(&writer, 1),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(None, Some(Ok(1)), Ok(())), (Some(Some(Ok(1))), None, Ok(())),])
    );
}

/// It wakes the process by the waker, as it wakes a task.
#[test]
fn an_async_process_polls_a_stream() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (mut stream, writer) = (channel.reader().stream(), channel.writer());
        let reading =
            async move { [got_by(stream.next().await), got_by(moved(stream.next()).await)] };
        (move || drive(reading), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([([Some(Ok(1)), None], Ok(()))]));
}

/// The waker of the last poll is woken.
#[test]
fn a_stream_changes_its_waker() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (mut stream, writer) = (channel.reader().stream(), channel.writer());
        (move || got_by(drive_elsewhere(moved(stream.next()))), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Some(Ok(1)), Ok(()))]));
}

/// A value that it was handed goes to the next reader.
#[test]
fn a_stream_is_dropped_on_another_thread() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (stream, reader) = (channel.reader().stream(), channel.reader());
        let writer = channel.writer();
        let (to, from) = mpsc::channel();
        (
            move || begin(stream, &to),
            move || {
                drop(from.recv().unwrap());
                read(&reader)
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(None, Ok(1), Ok(())), (Some(Some(Ok(1))), Err(RETIRED), Ok(()))])
    );
}

#[test]
fn poison_meets_a_stream_that_changes_threads() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (stream, writer) = (channel.reader().stream(), channel.writer());
        let (to, from) = mpsc::channel();
        (
            move || begin(stream, &to),
            move || {
                let mut stream = from.recv().unwrap();
                [next(&mut stream), next(&mut stream)]
            },
            move || writer.poison("enough"),
        )
    });
    let poisoned = Some(Err(How::Poisoned));
    assert_eq!(
        seen,
        BTreeSet::from([(None, [poisoned, None], ()), (Some(poisoned), [None, None], ())])
    );
}

#[test]
fn a_value_made_late_finds_a_stream_that_changes_threads() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (stream, writer) = (channel.reader().stream(), channel.writer());
        let (to, from) = mpsc::channel();
        (
            move || begin(stream, &to),
            move || next(&mut from.recv().unwrap()),
            move || choose!(alt::defer(&writer) => deliver),
        )
    });
    let wrote = Ok(Chose::Wrote);
    assert_eq!(
        seen,
        BTreeSet::from([(None, Some(Ok(1)), wrote), (Some(Some(Ok(1))), None, wrote)])
    );
}

#[test]
fn a_value_made_late_outlives_a_stream_that_is_dropped_on_another_thread() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (stream, reader) = (channel.reader().stream(), channel.reader());
        let writer = channel.writer();
        let (to, from) = mpsc::channel();
        (
            move || begin(stream, &to),
            move || {
                drop(from.recv().unwrap());
                read(&reader)
            },
            move || choose!(alt::defer(&writer) => deliver),
        )
    });
    let wrote = Ok(Chose::Wrote);
    assert_eq!(
        seen,
        BTreeSet::from([(None, Ok(1), wrote), (Some(Some(Ok(1))), Err(RETIRED), wrote)])
    );
}

#[test]
fn a_sink_changes_threads() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (sink, reader) = (channel.writer().sink(), channel.reader());
        let (to, from) = mpsc::channel();
        (move || offer(sink, &to), move || flush(&mut from.recv().unwrap()), move || read(&reader))
    });
    assert_eq!(seen, BTreeSet::from([(None, Ok(()), Ok(1)), (Some(Ok(())), Ok(()), Ok(1))]));
}

/// The value is on offer before the sink is polled with any waker.
#[test]
fn a_sink_offers_before_it_is_polled() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (mut sink, reader) = (channel.writer().sink(), channel.reader());
        let (to, from) = mpsc::channel();
        (
            move || {
                Pin::new(&mut sink).start_send(Value::new(1)).unwrap();
                to.send(sink).unwrap();
            },
            move || flush(&mut from.recv().unwrap()),
            move || read(&reader),
        )
    });
    assert_eq!(seen, BTreeSet::from([((), Ok(()), Ok(1))]));
}

/// A reader has the value, or it comes back.
#[test]
fn a_sink_gives_its_value_back_on_another_thread() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (sink, reader) = (channel.writer().sink(), channel.reader());
        let (to, from) = mpsc::channel();
        (
            move || offer(sink, &to),
            move || from.recv().unwrap().into_pending().map(|value| value.0),
            move || read(&reader),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, None, Ok(1)),
            (None, Some(1), Err(RETIRED)),
            (Some(Ok(())), None, Ok(1)),
        ])
    );
}

#[test]
fn a_sink_is_dropped_on_another_thread() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (sink, reader) = (channel.writer().sink(), channel.reader());
        let (to, from) = mpsc::channel();
        (move || offer(sink, &to), move || drop(from.recv().unwrap()), move || read(&reader))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(None, (), Ok(1)), (None, (), Err(RETIRED)), (Some(Ok(())), (), Ok(1)),])
    );
}

#[test]
fn a_sink_awaits_the_end_of_an_extended_read_on_another_thread() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (sink, reader) = (channel.writer().sink(), channel.reader());
        let (to, from) = mpsc::channel();
        let work = Work::new();
        let served = work.clone();
        (
            move || offer(sink, &to),
            move || (flush(&mut from.recv().unwrap()), served.look()),
            move || serve(&reader, &work),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(None, (Ok(()), 1), Ok(1)), (Some(Ok(())), (Ok(()), 1), Ok(1))])
    );
}

#[test]
fn a_stream_meets_a_sink() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (mut stream, mut sink) = (channel.reader().stream(), channel.writer().sink());
        (
            move || [next(&mut stream), next(&mut stream)],
            move || drive_elsewhere(sink.send(Value::new(1))).map_err(came_back),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Some(Ok(1)), None], Ok(()))]));
}
