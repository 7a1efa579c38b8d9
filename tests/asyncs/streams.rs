//! Ends as streams and sinks: in tasks of tokio, on threads, and in processes that are futures.

use csp::{
    Cause, Channel, Process, Reader, ReaderStream, Stop, Termination, Writer, WriterSink, alt,
    parallel, process, spawn,
};
use csp_tests::{
    Ledger, Placement, Random, Token, on_each_backend, poisoned_by_panic, rounds, seed, watched,
};
use futures_util::stream::FusedStream as _;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime")
}

/// Polls a future once, for nobody, and drops it.
fn once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn ends<T>() -> (Reader<T>, Writer<T>) {
    let channel = Channel::new();
    (channel.reader(), channel.writer())
}

#[process]
fn writes(out: Writer<u64>, count: u64) -> csp::Result {
    (0..count).try_for_each(|n| Ok(out.write(n)?))
}

#[process]
fn reads(input: Reader<u64>) -> Vec<u64> {
    input.iter().collect()
}

#[process]
fn relays(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
    loop {
        out.write(input.read()?)?;
    }
}

#[test]
fn tasks_and_processes_form_one_network() {
    watched("tasks and processes form one network", || {
        const COUNT: u64 = 500;
        let runtime = runtime(3);
        for capacity in [0, 3] {
            let channels: Vec<_> = (0..4).map(|_| Channel::buffered(capacity)).collect();
            // Two tasks between processes: by their own methods, and by those of the traits.
            let (mut stream, mut sink) =
                (channels[0].reader().stream(), channels[1].writer().sink());
            let own = runtime.spawn(async move {
                while let Some(value) = stream.next().await {
                    sink.send(value? + 1).await?;
                }
                Ok::<_, Termination>(())
            });
            let (stream, sink) = (channels[2].reader().stream(), channels[3].writer().sink());
            let shared = runtime.spawn(stream.map_ok(|value| value * 2).forward(sink));
            let (written, relayed, read) = parallel!(
                writes(channels[0].writer(), COUNT),
                relays(channels[1].reader(), channels[2].writer()),
                reads(channels[3].reader()),
            );
            assert_eq!((written, relayed), (Ok(()), Err(Termination::Retired)));
            assert_eq!(read, (0..COUNT).map(|n| (n + 1) * 2).collect::<Vec<_>>());
            assert_eq!(runtime.block_on(own).expect("no panic"), Ok(()));
            assert_eq!(runtime.block_on(shared).expect("no panic"), Ok(()));
        }
    });
}

#[test]
fn a_stream_remembers_its_end() {
    let (reader, writer) = ends();
    let (mut handed, mut told) = (reader.clone().stream(), reader.clone().stream());
    assert_eq!(once(handed.next()), None);
    writer.write(7).expect("it is handed to the stream");
    drop(writer);
    assert!(!told.is_terminated());
    assert_eq!(once(told.next()), Some(None));
    assert!(told.is_terminated());
    // The value comes back, and is for those who have not been told of an end.
    drop(handed);
    assert_eq!(once(told.next()), Some(None));
    assert_eq!(reader.read(), Ok(7));
}

#[test]
fn poison_is_the_last_item_of_a_stream() {
    let (reader, writer) = ends::<u64>();
    let (mut waits, mut comes_late) = (reader.clone().stream(), reader.stream());
    assert_eq!(once(waits.next()), None);
    writer.poison("enough");
    for stream in [&mut waits, &mut comes_late] {
        let Some(Some(Err(Termination::Poisoned(poison)))) = once(stream.next()) else {
            panic!("the poison is told once");
        };
        assert!(matches!(poison.cause(), Cause::Explicit { reason, .. } if reason == "enough"));
        assert_eq!(once(stream.next()), Some(None));
        assert!(stream.termination().is_some_and(|end| end.poison() == Some(&poison)));
    }
}

#[test]
fn a_dropped_stream_gives_its_value_to_the_next_reader() {
    for capacity in [0, 1] {
        let channel = Channel::buffered(capacity);
        let (reader, writer) = (channel.reader(), channel.writer());
        let mut stream = channel.reader().stream();
        assert_eq!(once(stream.next()), None);
        writer.write(1).expect("it is handed to the stream");
        let rest = thread::spawn(move || (2..5).try_for_each(|n| writer.write(n)));
        drop(stream);
        assert_eq!(reader.iter().take(4).collect::<Vec<_>>(), [1, 2, 3, 4]);
        rest.join().expect("no panic").expect("all is read");
    }
}

#[test]
fn a_value_of_a_sink_is_written_or_comes_back() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    assert_eq!(sink.take_pending(), None);
    assert_eq!(once(sink.send("one")), None);
    assert_eq!(sink.take_pending(), Some("one"));
    assert_eq!(reader.try_read(), Ok(None));
    // It stays on offer when nobody polls.
    assert_eq!(once(sink.send("two")), None);
    assert_eq!(reader.read(), Ok("two"));
    assert_eq!(sink.take_pending(), None);
    assert_eq!(once(sink.send("three")), None);
    assert_eq!(sink.into_pending(), Some("three"));
    assert_eq!(reader.read(), Err(Termination::Retired));
}

#[test]
fn a_dropped_sink_drops_what_no_reader_has() {
    let ledger = Ledger::new(2);
    let (reader, writer) = ends();
    let mut sink = writer.clone().sink();
    assert!(once(sink.send(ledger.token(0))).is_none());
    drop(sink);
    assert_eq!(ledger.dropped(), 1);
    let mut sink = writer.sink();
    assert!(once(sink.send(ledger.token(1))).is_none());
    let value = reader.read().expect("it is on offer");
    drop(sink);
    assert_eq!(ledger.dropped(), 1);
    drop(value);
    ledger.balance();
}

#[test]
fn a_send_that_is_given_up_goes_on() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    assert_eq!(once(sink.send(1)), None);
    // It waits for the first value, and then keeps its own for itself.
    assert_eq!(once(sink.send(2)), None);
    assert_eq!(reader.read(), Ok(1));
    assert_eq!(once(sink.send(3)), None);
    assert_eq!(reader.read(), Ok(3));
    assert_eq!(once(sink.flush()), Some(Ok(())));
    drop(sink);
    assert_eq!(reader.read(), Err(Termination::Retired));
}

#[test]
fn an_error_of_a_sink_gives_the_value_back() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    assert!(once(sink.send("early")).is_none());
    reader.poison("enough");
    // The early value is still with the sink, and the late one comes back.
    let refused = once(sink.send("late")).expect("no wait").expect_err("no reader");
    assert!(refused.termination.poison().is_some());
    assert_eq!(refused.into_inner(), "late");
    assert!(once(sink.flush()).expect("no wait").is_err());
    assert_eq!(sink.take_pending(), Some("early"));
    let refused = once(sink.send("too late")).expect("no wait").expect_err("no reader");
    assert_eq!(refused.into_inner(), "too late");
    assert_eq!(sink.take_pending(), None);
    // By the trait the sink keeps it.
    let poisoned = sink.termination().expect("it is poisoned");
    let ready = Pin::new(&mut sink).poll_ready_unpin(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ready, Poll::Ready(Err(poisoned.clone())));
    assert_eq!(sink.start_send_unpin("kept"), Err(poisoned));
    assert_eq!(sink.into_pending(), Some("kept"));
}

#[test]
fn a_sink_is_ready_for_one_value_at_a_time() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    let waking = &mut Context::from_waker(Waker::noop());
    assert_eq!(sink.poll_ready_unpin(waking), Poll::Ready(Ok(())));
    assert_eq!(sink.start_send_unpin(1), Ok(()));
    assert_eq!(sink.poll_ready_unpin(waking), Poll::Pending);
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sink.start_send_unpin(2)));
    assert!(again.is_err());
    assert_eq!(reader.read(), Ok(1), "on offer without a flush");
    assert_eq!(sink.poll_ready_unpin(waking), Poll::Ready(Ok(())));
}

#[test]
fn a_sink_that_is_closed_writes_its_value_and_retires() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    assert_eq!(sink.start_send_unpin(1), Ok(()));
    assert_eq!(once(sink.close()), None);
    assert_eq!(reader.read(), Ok(1));
    assert_eq!(once(sink.close()), Some(Ok(())));
    assert_eq!(reader.read(), Err(Termination::Retired));
    assert_eq!(sink.termination(), Some(Termination::Retired));
    assert_eq!(once(sink.close()), Some(Ok(())));
    assert_eq!(once(sink.clone().send(2)).expect("no wait").expect_err("closed").into_inner(), 2);
    let waking = &mut Context::from_waker(Waker::noop());
    assert_eq!(sink.poll_ready_unpin(waking), Poll::Ready(Err(Termination::Retired)));
    assert_eq!(sink.start_send_unpin(3), Err(Termination::Retired));
    assert_eq!(sink.into_pending(), Some(3));
}

#[test]
fn a_clone_of_a_sink_is_an_end_of_its_own() {
    let (reader, writer) = ends();
    let mut sink = writer.sink();
    assert_eq!(once(sink.send(1)), None);
    let mut clone = sink.clone();
    assert_eq!(clone.take_pending(), None);
    assert_eq!(once(clone.send(2)), None);
    assert_eq!((reader.read(), reader.read()), (Ok(1), Ok(2)));
    sink.retire();
    assert_eq!(reader.try_read(), Ok(None));
    drop(clone);
    assert_eq!(reader.read(), Err(Termination::Retired));
}

#[test]
fn a_send_lasts_until_an_extended_read_is_over() {
    watched("a send lasts until an extended read is over", || {
        let runtime = runtime(2);
        let (reader, writer) = ends();
        let over = Arc::new(AtomicBool::new(false));
        let (mut sink, seen) = (writer.sink(), Arc::clone(&over));
        let sent = runtime.spawn(async move {
            sink.send(1).await.expect("it is read");
            seen.load(Ordering::SeqCst)
        });
        let held = reader.begin().expect("a value");
        assert_eq!(*held, 1);
        over.store(true, Ordering::SeqCst);
        drop(held);
        assert!(runtime.block_on(sent).expect("no panic"));
    });
}

/// Makes each value only when its reader has come.
#[process]
fn makes(out: Writer<Token>, tokens: Vec<Token>) -> csp::Result {
    for token in tokens {
        alt! { out.write_with(|| token) => () }?;
    }
    Ok(())
}

#[process]
fn gives(out: Writer<Token>, tokens: Vec<Token>) -> csp::Result {
    tokens.into_iter().try_for_each(|token| Ok(out.write(token)?))
}

#[process]
fn takes(input: Reader<Token>) -> usize {
    input.iter().count()
}

/// Reads by streams that it drops again and again, and by one that it keeps.
async fn reads_restlessly(input: Reader<Token>, mut random: Random) -> usize {
    let (mut kept, mut count) = (input.clone().stream(), 0);
    loop {
        let item = match random.below(5) {
            0 => once(kept.next()),
            1 => tokio::time::timeout(Duration::from_micros(20), kept.next()).await.ok(),
            2 => {
                let mut stream = input.clone().stream();
                tokio::time::timeout(Duration::from_micros(20), stream.next()).await.ok()
            }
            3 => {
                // Another task, perhaps on another thread, ends what this one has begun.
                let mut stream = input.clone().stream();
                let first = once(stream.next());
                let rest = tokio::spawn(async move { drop(stream) });
                tokio::task::yield_now().await;
                rest.await.expect("no panic");
                first
            }
            _ => Some(kept.next().await),
        };
        match item {
            Some(Some(value)) => {
                value.expect("no poison");
                count += 1;
            }
            Some(None) if kept.is_terminated() => break count,
            Some(None) | None => tokio::task::yield_now().await,
        }
    }
}

/// Writes by a sink that gives up now and then, and by those of its clones that move to other tasks. Returns what has come back.
async fn writes_restlessly(
    mut sink: WriterSink<Token>,
    tokens: Vec<Token>,
    mut random: Random,
) -> Vec<Token> {
    let mut back = Vec::new();
    for token in tokens {
        match random.below(4) {
            0 => {
                let limit = Duration::from_micros(20);
                let _ = tokio::time::timeout(limit, sink.send(token)).await;
                back.extend(sink.take_pending());
            }
            1 => {
                let mut clone = sink.clone();
                let begun = once(clone.send(token)).is_none();
                let rest = tokio::spawn(async move { clone.into_pending() });
                tokio::task::yield_now().await;
                let rest = rest.await.expect("no panic");
                assert!(begun || rest.is_none());
                back.extend(rest);
            }
            2 => {
                let mut clone = sink.clone();
                let _ = once(clone.send(token));
                tokio::spawn(async move { clone.flush().await })
                    .await
                    .expect("no panic")
                    .expect("read");
            }
            _ => sink.send(token).await.expect("it is read"),
        }
    }
    back
}

#[test]
fn no_value_is_lost_by_tasks_that_give_up_and_move() {
    watched("no value is lost by tasks that give up and move", || {
        const COUNT: usize = 60;
        let runtime = runtime(4);
        for round in 0..rounds(8) {
            for capacity in [0, 2] {
                let mut random = Random::seeded(seed() + round);
                let ledger = Ledger::new(4 * COUNT);
                let tokens = |part: usize| -> Vec<_> {
                    (part * COUNT..(part + 1) * COUNT).map(|id| ledger.token(id)).collect()
                };
                let channel = Channel::buffered(capacity);
                let network = (
                    gives(channel.writer(), tokens(2)),
                    makes(channel.writer(), tokens(3)),
                    takes(channel.reader()),
                );
                let tasks: Vec<_> = (0..2)
                    .map(|_| runtime.spawn(reads_restlessly(channel.reader(), random.fork())))
                    .collect();
                let writers: Vec<_> = (0..2)
                    .map(|part| {
                        let sink = channel.writer().sink();
                        runtime.spawn(writes_restlessly(sink, tokens(part), random.fork()))
                    })
                    .collect();
                let (gave, made, mut read) = parallel!(network.0, network.1, network.2);
                assert_eq!((gave, made), (Ok(()), Ok(())));
                for task in tasks {
                    read += runtime.block_on(task).expect("no panic");
                }
                for writer in writers {
                    read += runtime.block_on(writer).expect("no panic").len();
                }
                drop(channel);
                assert_eq!(read, 4 * COUNT, "round {round}, capacity {capacity}");
                ledger.balance();
            }
        }
    });
}

/// Runs tasks one after another on the one worker of a runtime. Returns whether each panicked.
fn on_one_worker(tasks: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) -> Vec<bool> {
    let (runtime, threads) = (runtime(1), Arc::new(Mutex::new(Vec::new())));
    let panicked = tasks.into_iter().map(|task| {
        let threads = Arc::clone(&threads);
        let task = runtime.spawn(async move {
            threads.lock().expect("no panic").push(thread::current().id());
            task.await;
        });
        runtime.block_on(task).is_err()
    });
    let panicked = panicked.collect();
    let threads = threads.lock().expect("no panic");
    assert!(threads.iter().all(|thread| *thread == threads[0]), "all are on one thread");
    panicked
}

/// The other sides of the ends that a task drops.
struct Left {
    sink: Reader<u64>,
    stream: Writer<u64>,
    writer: Reader<u64>,
    reader: Writer<u64>,
}

type Held = (WriterSink<u64>, ReaderStream<u64>, Writer<u64>, Reader<u64>);

impl Left {
    fn by_a_task() -> (Self, Held) {
        let [(a, b), (c, d), (e, f), (g, h)] = [(); 4].map(|()| ends());
        (Self { sink: a, stream: d, writer: e, reader: h }, (b.sink(), c.stream(), f, g))
    }

    fn ends(&self) -> [Option<Termination>; 4] {
        let Self { sink, stream, writer, reader } = self;
        [sink.termination(), stream.termination(), writer.termination(), reader.termination()]
    }
}

#[test]
fn poison_that_a_task_has_met_does_not_stay_with_its_thread() {
    watched("poison that a task has met does not stay with its thread", || {
        let ((input, out), (reader, writer)) = (ends::<u64>(), ends::<u64>());
        out.poison("enough");
        reader.poison("enough");
        let (mut stream, mut sink) = (input.stream(), writer.sink());
        let (left, held) = Left::by_a_task();
        let panicked = on_one_worker(vec![
            Box::pin(async move {
                assert!(stream.next().await.is_some_and(|item| item.is_err()));
                assert!(sink.send(1).await.is_err());
                assert!(Pin::new(&mut sink).flush().await.is_ok());
                assert!(Pin::new(&mut sink).feed(1).await.is_err());
                // It has not even dropped them when the other task does so.
                std::mem::forget((stream, sink));
            }),
            Box::pin(async move { drop(held) }),
        ]);
        assert_eq!(panicked, [false, false]);
        assert_eq!(left.ends(), [(); 4].map(|()| Some(Termination::Retired)));
    });
}

#[test]
fn a_panic_of_a_task_poisons_its_ends_and_no_others() {
    watched("a panic of a task poisons its ends and no others", || {
        let (first, first_held) = Left::by_a_task();
        let (second, second_held) = Left::by_a_task();
        let (third, third_held) = Left::by_a_task();
        let panicked = on_one_worker(vec![
            Box::pin(async move {
                let _held = first_held;
                panic!("the first");
            }),
            Box::pin(async move { drop(second_held) }),
            Box::pin(async move {
                let _held = third_held;
                panic!("the third");
            }),
        ]);
        assert_eq!(panicked, [true, false, true]);
        assert_eq!(second.ends(), [(); 4].map(|()| Some(Termination::Retired)));
        for (left, message) in [(first, "the first"), (third, "the third")] {
            for end in left.ends() {
                let (_, said) = poisoned_by_panic(&end.expect("it has ended")).expect("a panic");
                assert_eq!(said, message);
            }
        }
    });
}

/// Two tasks that panic one after the other have nothing in common.
#[test]
fn each_panic_of_a_task_is_told_with_its_own_message() {
    watched("each panic of a task is told with its own message", || {
        let [(one, first), (other, second)] = [(); 2].map(|()| ends::<u64>());
        let (first, second) = (first.sink(), second.sink());
        on_one_worker(vec![
            Box::pin(async move {
                let _first = first;
                panic!("the first");
            }),
            Box::pin(async move {
                let _second = second;
                panic!("the second");
            }),
        ]);
        for (reader, message) in [(one, "the first"), (other, "the second")] {
            let (_, said) =
                poisoned_by_panic(&reader.read().expect_err("poison")).expect("a panic");
            assert_eq!(said, message);
        }
    });
}

#[test]
fn ends_that_retire_on_panic_do_so() {
    watched("ends that retire on panic do so", || {
        let ((reader, writer), (input, out)) = (ends::<u64>(), ends::<u64>());
        let sink = writer.sink().retire_on_panic();
        let (clone, stream) = (sink.clone(), input.stream().retire_on_panic());
        let panicked = on_one_worker(vec![Box::pin(async move {
            let _held = (clone, stream);
            panic!("out of cheese");
        })]);
        assert_eq!(panicked, [true]);
        assert_eq!(out.write(1).expect_err("no reader").termination, Termination::Retired);
        assert_eq!(reader.try_read(), Ok(None), "the network goes on");
        drop(sink);
        assert_eq!(reader.read(), Err(Termination::Retired));
    });
}

/// Relays by a stream and a sink, and holds another end meanwhile.
#[process]
async fn relays_by_stream(input: Reader<u64>, out: Writer<u64>, other: Writer<u64>) -> u64 {
    let (mut stream, mut sink, mut count) = (input.stream(), out.sink(), 0);
    while let Some(Ok(value)) = stream.next().await {
        if sink.send(value).await.is_err() {
            break;
        }
        count += 1;
    }
    drop(other);
    count
}

/// Poisons after some values.
#[process]
async fn gives_up(out: Writer<u64>, count: u64) {
    for value in 0..count {
        out.write_async(value).await.expect("it is read");
    }
    out.poison("enough");
}

#[process]
async fn panics_with(sink: WriterSink<u64>, input: Reader<u64>) {
    let (_sink, mut stream) = (sink, input.stream());
    let value = stream.next().await;
    panic!("it had {value:?}");
}

#[process(on_panic = retire)]
async fn panics_and_retires(sink: WriterSink<u64>, input: Reader<u64>) {
    let (_sink, mut stream) = (sink, input.stream());
    let value = stream.next().await;
    panic!("it had {value:?}");
}

/// An error, or the end of a channel that became one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum Failed {
    #[error("no paper")]
    Paper,
    #[error("the network is over")]
    Ended(#[from] Termination),
}

/// Passes one value on, and fails. It is a process that waits, so nobody awaits its streams and sinks unless it does so by itself.
#[process]
fn fails_with_streams(
    mut input: ReaderStream<u64>,
    mut out: WriterSink<u64>,
    error: Failed,
) -> Result<(), Failed> {
    passes_one(&mut input, &mut out);
    Err(error)
}

#[process]
async fn fails_with_streams_async(
    mut input: ReaderStream<u64>,
    mut out: WriterSink<u64>,
    error: Failed,
) -> Result<(), Failed> {
    passes_one(&mut input, &mut out);
    Err(error)
}

#[process(on_error = retire)]
fn fails_with_streams_and_retires(
    mut input: ReaderStream<u64>,
    mut out: WriterSink<u64>,
) -> Result<(), Failed> {
    passes_one(&mut input, &mut out);
    Err(Failed::Paper)
}

/// Is stopped by a deadlock, which it returns.
#[process]
fn waits_for_itself(out: WriterSink<u64>) -> csp::Result {
    let own = Channel::<u64>::new();
    let (input, _output) = (own.reader(), own.writer());
    let _ = (&out, input.read()?);
    Ok(())
}

/// Passes on a value that is there, to a buffer that has room.
fn passes_one(input: &mut ReaderStream<u64>, out: &mut WriterSink<u64>) {
    let value = once(input.next()).flatten().expect("it is there").expect("no poison");
    assert_eq!(once(out.send(value)), Some(Ok(())));
}

/// Runs a process that passes one value on. Returns what it returns, and the ends that the channels of its stream and its sink came to.
fn passes_one_and_ends<A, R>(
    backend: &Placement,
    make: impl FnOnce(ReaderStream<u64>, WriterSink<u64>) -> Process<A, R>,
) -> (R, [Termination; 2])
where
    A: Send + 'static,
    R: Send + 'static,
{
    let (from, to) = (Channel::buffered(2), Channel::buffered(1));
    let (writer, reader) = (from.writer(), to.reader());
    writer.write(7).expect("there is room");
    let process = make(from.reader().stream(), to.writer().sink());
    drop((from, to));
    let returned = spawn(backend.place(process)).join();
    // Poison drops what is in a buffer.
    while reader.read().is_ok() {}
    (returned, [writer.termination(), reader.termination()].map(|end| end.expect("it has ended")))
}

on_each_backend! {
    here: "an `async fn` runs in the OS process that starts it";

    fn an_error_of_a_process_poisons_its_streams_and_sinks(backend) {
        fn is_paper(ended: &Termination) -> bool {
            let cause = ended.poison().map(csp::Poison::cause);
            matches!(cause, Some(Cause::Error { message, .. }) if message == "no paper")
        }
        let fails = |error: Failed| {
            let waits = |input, out| fails_with_streams(input, out, error.clone());
            let awaits = |input, out| fails_with_streams_async(input, out, error.clone());
            let all = [passes_one_and_ends(backend, waits), passes_one_and_ends(backend, awaits)];
            all.map(|(returned, left)| {
                assert_eq!(returned, Err(error.clone()));
                left
            })
        };
        let left = fails(Failed::Paper);
        assert!(left.as_flattened().iter().all(is_paper), "{left:?}");
        // A retirement retires, and a poison stays that poison.
        let (reader, writer) = ends::<u64>();
        writer.poison("enough");
        for ended in [Termination::Retired, reader.read().expect_err("poison")] {
            let left = fails(Failed::Ended(ended.clone()));
            assert!(left.as_flattened().iter().all(|end| *end == ended), "{left:?}");
        }
        let (_, left) = passes_one_and_ends(backend, fails_with_streams_and_retires);
        assert_eq!(left, [Termination::Retired, Termination::Retired]);
    }

    /// The thread may run tasks next, and a new thread may have what it has left.
    fn an_error_of_a_process_does_not_stay_with_its_thread(backend) {
        fn said_by_each_panic() -> [String; 2] {
            ["the first", "the second"].map(|message| {
                let (reader, writer) = ends::<u64>();
                let sink = writer.sink();
                let panics = move || {
                    let _sink = sink;
                    panic!("{message}")
                };
                let caught: thread::Result<()> = catch_unwind(AssertUnwindSafe(panics));
                assert!(caught.is_err());
                poisoned_by_panic(&reader.read().expect_err("poison")).expect("a panic").1
            })
        }
        for _ in 0..5 {
            let fails = |input, out| fails_with_streams_async(input, out, Failed::Paper);
            assert!(passes_one_and_ends(backend, fails).0.is_err());
            assert_eq!(said_by_each_panic(), ["the first", "the second"]);
            let elsewhere = thread::spawn(said_by_each_panic).join().expect("no panic");
            assert_eq!(elsewhere, ["the first", "the second"]);
        }
    }

    fn a_deadlock_that_a_process_returns_poisons_its_sinks(backend) {
        let (reader, writer) = ends();
        let dead = spawn(backend.place(waits_for_itself(writer.sink())));
        let end = reader.read().expect_err("no value");
        let cause = end.poison().map(csp::Poison::cause);
        assert!(matches!(cause, Some(Cause::Deadlock(_))), "{end:#}");
        assert!(dead.try_join().is_err());
    }

    fn a_process_uses_streams_and_sinks(backend) {
        let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
        let other = c.reader();
        let (written, relayed, read) = parallel!(
            backend.place(writes(a.writer(), 200)),
            backend.place(relays_by_stream(a.reader(), b.writer(), c.writer())),
            backend.place(reads(b.reader())),
        );
        assert_eq!((written, relayed, read), (Ok(()), 200, (0..200).collect()));
        assert_eq!(other.read(), Err(Termination::Retired));
    }

    /// The stream is the process's own, so the poison goes on by all of its ends.
    fn poison_that_a_process_meets_by_a_stream_is_its_own(backend) {
        let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
        let (out, other) = (b.reader(), c.reader());
        let process = relays_by_stream(a.reader(), b.writer(), c.writer());
        let process = spawn(backend.place(process));
        let gives_up = spawn(backend.place(gives_up(a.writer(), 2)));
        assert_eq!((out.read(), out.read()), (Ok(0), Ok(1)));
        for reader in [out, other] {
            let end = reader.read().expect_err("no more values");
            assert!(matches!(end.poison().map(csp::Poison::cause), Some(Cause::Explicit { .. })));
        }
        assert_eq!(process.join(), 2);
        gives_up.join();
    }

    fn a_process_that_panics_poisons_its_streams_and_sinks_or_retires_them(backend) {
        let [a, b, c, d] = [(); 4].map(|()| Channel::new());
        let (one, other) = (a.reader(), c.reader());
        let (to_one, to_other) = (b.writer(), d.writer());
        let panics = spawn(backend.place(panics_with(a.writer().sink(), b.reader())));
        let retires = spawn(backend.place(panics_and_retires(c.writer().sink(), d.reader())));
        to_one.write(1).expect("it is read");
        to_other.write(2).expect("it is read");
        let (_, said) = poisoned_by_panic(&one.read().expect_err("poison")).expect("a panic");
        assert_eq!(said, "it had Some(Ok(1))");
        assert_eq!(other.read(), Err(Termination::Retired));
        assert!(panics.try_join().is_err() && retires.try_join().is_err());
    }
}

/// A stream of no values tells a task to stop.
#[test]
fn a_task_is_told_to_stop() {
    watched("a task is told to stop", || {
        let runtime = runtime(2);
        let ((reader, writer), (told, tells)) = (ends(), ends::<()>());
        let (mut sink, mut told) = (writer.sink(), told.stream());
        let task = runtime.spawn(async move {
            let mut count = 0;
            loop {
                tokio::select! {
                    _ = told.next() => break count,
                    sent = sink.send(count) => sent.expect("it is read"),
                }
                count += 1;
            }
        });
        assert_eq!(reader.iter().take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        drop(tells);
        assert!((4..=5).contains(&runtime.block_on(task).expect("no panic")));
        assert_eq!(reader.read(), Err(Termination::Retired));
        let _unused = Stop::new();
    });
}

/// A stream or a sink that was used is no leftover.
#[csp::test]
fn streams_and_sinks_count_as_used() {
    let (numbers, answers) = (Channel::buffered(1), Channel::buffered(1));
    let (mut sink, mut stream) = (numbers.writer().sink(), answers.reader().stream());
    assert_eq!(once(sink.send(1)), Some(Ok(())));
    drop(sink);
    let _ = parallel!(relays(numbers.reader(), answers.writer()));
    assert_eq!(once(stream.next()), Some(Some(Ok(1))));
    assert_eq!(once(stream.next()), Some(None));
}
