//! Two or three nodes in one OS process, each with threads of its own, over real rings.

pub(in crate::backend::subprocess) mod forged;
#[cfg(feature = "hosts")]
mod limited;
mod pending;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
#[cfg(feature = "hosts")]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{HERE, Node};
use crate::backend::subprocess::protocol::{Departure, NodeId};
#[cfg(feature = "hosts")]
use crate::backend::subprocess::transport::stream::{LinkLoss, StreamEnder};
use crate::backend::subprocess::values::carry::{self, Packing, Unpacking};
use crate::backend::subprocess::values::causes::NodeLoss;
use crate::{Alternation, Cause, Channel, Reader, Termination, Writer, alt, pri_alt};

fn node() -> &'static Node {
    use ipc_channel::ipc::IpcSharedMemory;
    let memory = IpcSharedMemory::from_byte(0, size_of::<super::Mailbox>());
    Node::new(super::draw(), None, memory)
}

fn child(parent: &'static Node) -> &'static Node {
    #[cfg(feature = "hosts")]
    if std::env::var_os(BY_STREAM).is_some() {
        return child_by_stream(parent);
    }
    let prepared = parent.prepare().expect("memory");
    let child = Node::joining(prepared.shared);
    child.begin_routing().unwrap();
    child
}

/// The variable that has all nodes of the tests linked by streams.
#[cfg(feature = "hosts")]
const BY_STREAM: &str = "CSP_TEST_BY_STREAM";

#[cfg(feature = "hosts")]
fn child_by_stream(parent: &'static Node) -> &'static Node {
    use crate::backend::subprocess::transport::stream::{PEER_TIMEOUT, StreamEnds, StreamSide};
    use std::os::unix::net::UnixStream;
    let (tell, lost) = mpsc::channel();
    let child = Node::to_join_by_stream(super::draw(), parent.id);
    let meet = |node: &'static Node, peer: &'static Node, stream: UnixStream, side| {
        let ends = StreamEnds::of_socket(stream).expect("a descriptor");
        let tell = tell.clone();
        let on_loss = move |loss| drop(tell.send(loss));
        node.meet_by_stream(peer.id, ends, side, PEER_TIMEOUT, None, on_loss).expect("a stream")
    };
    let (here, there) = UnixStream::pair().expect("two sockets");
    let ender = meet(parent, child, here, StreamSide::Starter);
    meet(child, parent, there, StreamSide::Started);
    ENDERS.lock().expect("the list").push((child.id, ender, lost));
    child
}

#[cfg(feature = "hosts")]
static ENDERS: Mutex<Vec<(NodeId, StreamEnder, mpsc::Receiver<LinkLoss>)>> = Mutex::new(Vec::new());

/// Ends a child that says nothing more. The messages on their way come first.
fn ended(here: &'static Node, id: NodeId, departure: Departure, process: &str, message: &str) {
    read_to_the_end(id);
    dies(here, id, false, departure, process, message);
}

/// Ends a child. Returns the rule that it has broken.
fn dies(
    here: &'static Node,
    id: NodeId,
    well: bool,
    departure: Departure,
    process: &str,
    message: &str,
) -> Option<String> {
    let (process, message) = (process.to_owned(), message.to_owned());
    let loss = NodeLoss { process, message, host: None };
    here.ended(id, well, departure, loss, &HashMap::new()).0
}

/// Waits until everything has come that a child has sent, if its link is a stream.
fn read_to_the_end(id: NodeId) {
    #[cfg(not(feature = "hosts"))]
    let _ = id;
    #[cfg(feature = "hosts")]
    {
        let mut enders = ENDERS.lock().expect("the list");
        let at = enders.iter().position(|(child, ..)| *child == id);
        let ender = at.map(|at| enders.swap_remove(at));
        drop(enders);
        if let Some((_, ender, lost)) = ender {
            ender.end();
            assert_eq!(lost.recv(), Ok(LinkLoss::Ended));
        }
    }
}

/// Runs all other tests of this file again. A failed one may hold others up, so another OS process
/// runs them.
#[cfg(feature = "hosts")]
#[test]
fn all_of_this_holds_by_streams_too() {
    if std::env::var_os(BY_STREAM).is_some() {
        return;
    }
    let exe = std::env::current_exe().expect("this test");
    let this = module_path!().split_once("::").expect("a crate").1;
    let run = std::process::Command::new(exe)
        .arg(format!("{this}::"))
        .env(BY_STREAM, "1")
        .output()
        .expect("the tests again");
    let said = String::from_utf8_lossy(&run.stdout);
    let passed = said.matches("... ok").count();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && passed > 20, "{passed} passed:\n{said}\n{errors}");
}

/// A thread of the node. If it does not end, it is killed with the whole test.
struct Running<R>(mpsc::Receiver<thread::Result<R>>);

impl<R> Running<R> {
    fn join(self) -> R {
        match self.0.recv_timeout(Duration::from_secs(300)) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => {
                eprintln!("{}", crate::network());
                std::process::abort();
            }
        }
    }
}

/// Runs on another node, with these ends as its arguments.
fn run_on<A, R>(
    at: &'static Node,
    arguments: &A,
    body: impl FnOnce(A) -> R + Send + 'static,
) -> Running<R>
where
    A: Serialize + DeserializeOwned + 'static,
    R: Send + 'static,
{
    let packing = Packing::begin(at.id());
    let mut bytes = Vec::new();
    carry::put(arguments, &mut bytes).expect("what can be packed");
    let ends = packing.done();
    run(at, move || {
        let unpacking = Unpacking::begin(ends);
        let arguments = carry::take(&mut &*bytes).expect("what was packed");
        drop(unpacking);
        body(arguments)
    })
}

fn run<R: Send + 'static>(
    at: &'static Node,
    body: impl FnOnce() -> R + Send + 'static,
) -> Running<R> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        HERE.set(Some(at));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        let _ = done.send(ended);
    });
    Running(result)
}

/// Makes this thread one node, and makes another.
fn pair() -> (&'static Node, &'static Node) {
    let here = node();
    HERE.set(Some(here));
    (here, child(here))
}

#[test]
fn a_value_crosses_each_way() {
    let (_, there) = pair();
    let (to, back) = (Channel::<u64>::new(), Channel::<String>::new());
    let other = run_on(there, &(to.reader(), back.writer()), |(to, back)| {
        for n in &to {
            back.write(format!("{n}")).expect("a reader");
        }
        to.termination()
    });
    let (to, back) = (to.writer(), back.reader());
    for n in 0..1000 {
        to.write(n).expect("a reader");
        assert_eq!(back.read(), Ok(n.to_string()));
    }
    to.retire();
    assert_eq!(back.read(), Err(Termination::Retired));
    assert_eq!(other.join(), Some(Termination::Retired));
}

#[test]
fn a_plain_communication_is_two_messages_and_so_is_an_alternation() {
    let (here, there) = pair();
    let channels = 4 * Channel::<u64>::new();
    let readers: Vec<_> = channels.iter().map(Channel::reader).collect();
    let (go, ended) = (Channel::<u32>::new(), Channel::<()>::new());
    let other = run_on(there, &(readers, go.reader(), ended.writer()), |(readers, go, ended)| {
        let mut all = Alternation::new();
        for reader in &readers {
            all.read(reader, |n| n);
        }
        let mut sum = 0;
        let alternations = go.read().expect("a number");
        for _ in 0..alternations {
            sum += all.choose().expect("a value");
        }
        let plain = go.read().expect("a number");
        for _ in 0..plain {
            sum += readers[0].read().expect("a value");
        }
        ended.write(()).expect("a reader");
        sum
    });
    let writers: Vec<_> = channels.iter().map(Channel::writer).collect();
    drop(channels);
    let counted = |from: u64| here.sent() + there.sent() - from;
    let (go, ended) = (go.writer(), ended.reader());
    go.write(400).expect("a reader");
    let before = counted(0);
    for n in 0..400 {
        writers[n % 4].write(n as u64).expect("a reader");
    }
    go.write(100).expect("a reader");
    // The other node has read that, and is told what it has read: the two messages of each of 401.
    let alternations = counted(before);
    let before = counted(0);
    for n in 0..100 {
        writers[0].write(n).expect("a reader");
    }
    ended.read().expect("its end");
    let plain = counted(before);
    assert_eq!(other.join(), 399 * 400 / 2 + 99 * 50);
    // One message of the last or of the first communication may be counted on the other side of the
    // line.
    assert!(alternations.abs_diff(802) <= 2, "{alternations}");
    assert!(plain.abs_diff(202) <= 3, "{plain}");
}

#[test]
fn ends_are_counted_wherever_they_are() {
    let (_, there) = pair();
    let channel = Channel::<u8>::new();
    let reader = channel.reader();
    let other = run_on(there, &channel.writer(), |writer: Writer<u8>| {
        let second = writer.clone();
        drop(writer);
        second.write(1).expect("a reader");
        let third = second.clone();
        drop(second);
        third.write(2).expect("a reader");
    });
    drop(channel);
    assert_eq!(reader.iter().collect::<Vec<_>>(), [1, 2]);
    other.join();
    assert_eq!(reader.termination(), Some(Termination::Retired));
}

#[test]
fn ends_travel_in_values_there_and_back() {
    #[derive(Serialize, Deserialize)]
    struct Call {
        n: u64,
        answer: Writer<u64>,
        more: Option<Reader<u64>>,
    }
    // The other node answers calls by the ends that are in them.
    let (_, there) = pair();
    let calls = Channel::<Call>::new();
    let other = run_on(there, &calls.reader(), |calls: Reader<Call>| {
        for Call { n, answer, more } in &calls {
            let more: u64 = more.iter().flatten().sum();
            answer.write(n + more).expect("a reader");
        }
    });
    // Every second call also carries a reading end with more numbers.
    let calls = calls.writer();
    for n in 0..200 {
        let (answer, more) = (Channel::new(), Channel::new());
        let call = Call { n, answer: answer.writer(), more: (n % 2 == 0).then(|| more.reader()) };
        let more = more.writer();
        calls.write(call).expect("a reader");
        if n % 2 == 0 {
            more.write(10).expect("a reader");
            more.write(20).expect("a reader");
        }
        more.retire();
        let answer = answer.reader();
        assert_eq!(answer.read(), Ok(if n % 2 == 0 { n + 30 } else { n }));
        assert_eq!(answer.read(), Err(Termination::Retired));
    }
    calls.retire();
    other.join();
}

#[test]
fn a_hundred_ends_in_one_value() {
    let (_, there) = pair();
    let channel = Channel::<Vec<Writer<usize>>>::new();
    let other = run_on(there, &channel.reader(), |ends: Reader<Vec<Writer<usize>>>| {
        for (n, end) in ends.read().expect("a value").into_iter().enumerate() {
            end.write(n).expect("a reader");
        }
    });
    let channels = 100 * Channel::<usize>::new();
    channel.writer().write(channels.iter().map(Channel::writer).collect()).expect("a reader");
    let readers: Vec<_> = channels.iter().map(Channel::reader).collect();
    drop(channels);
    for (n, reader) in readers.iter().enumerate() {
        assert_eq!(reader.iter().collect::<Vec<_>>(), [n]);
    }
    other.join();
}

#[test]
fn poison_keeps_its_cause_and_its_identity() {
    let (_, there) = pair();
    let (channel, other) = (Channel::<u8>::new(), Channel::<u8>::new());
    let ends = (channel.reader(), other.writer());
    let (second, third) = (channel.writer(), other.reader());
    let there = run_on(there, &ends, |(reader, writer): (Reader<u8>, Writer<u8>)| {
        let ended = reader.read().expect_err("poison");
        // A process that stops because of poison passes it on.
        drop(writer);
        format!("{ended:#}")
    });
    second.poison("enough");
    let told = there.join();
    assert!(told.contains("enough"), "{told}");
    let here = third.read().expect_err("poison");
    assert!(
        matches!(here.poison().expect("poison").cause(), Cause::Explicit { reason, .. } if reason == "enough")
    );
    assert_eq!(second.write(1).expect_err("poison").termination, here);
}

#[test]
fn what_waits_when_a_channel_is_shared_begins_anew() {
    let (_, there) = pair();
    for round in 0..50 {
        let channel = if round % 2 == 0 { Channel::<u32>::new() } else { Channel::buffered(3) };
        let (reader, writer) = (channel.reader(), channel.writer());
        let here = HERE.get();
        let waiting = {
            let reader = reader.clone();
            thread::spawn(move || {
                HERE.set(here);
                reader.iter().count()
            })
        };
        thread::yield_now();
        let other = run_on(there, &channel.writer(), |writer: Writer<u32>| {
            (0..20).for_each(|n| writer.write(n).expect("a reader"));
        });
        (0..20).for_each(|n| writer.write(n).expect("a reader"));
        other.join();
        writer.retire();
        drop(channel);
        let mine = reader.iter().count();
        assert_eq!(waiting.join().expect("a reader") + mine, 40);
    }
}

#[test]
fn buffered_values_go_along_in_their_order() {
    let (_, there) = pair();
    let channel = Channel::<u32>::buffered(5);
    let writer = channel.writer();
    (0..5).for_each(|n| writer.write(n).expect("room"));
    let other =
        run_on(there, &channel.reader(), |reader: Reader<u32>| reader.iter().collect::<Vec<_>>());
    (5..100).for_each(|n| writer.write(n).expect("room, in time"));
    writer.retire();
    drop(channel);
    assert_eq!(other.join(), (0..100).collect::<Vec<_>>());
}

#[test]
fn an_extended_read_keeps_its_writer_waiting() {
    let (_, there) = pair();
    let (channel, about) = (Channel::<u8>::new(), Channel::<u8>::new());
    let ends = (channel.reader(), about.writer());
    let other = run_on(there, &ends, |(reader, about): (Reader<u8>, Writer<u8>)| {
        for _ in 0..100 {
            let value = reader.begin().expect("a value");
            about.write(*value).expect("a reader");
        }
    });
    // A thread of this node writes, and counts the writes that have returned.
    let (writer, about) = (channel.writer(), about.reader());
    let released = Arc::new(AtomicUsize::new(0));
    let here = HERE.get();
    let writing = {
        let released = Arc::clone(&released);
        thread::spawn(move || {
            HERE.set(here);
            for n in 0..100 {
                writer.write(n).expect("a reader");
                released.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    // No write returns before its reader has finished.
    for n in 0..100 {
        assert!(released.load(Ordering::SeqCst) <= n);
        assert_eq!(about.read(), Ok(n as u8));
    }
    writing.join().expect("the writer");
    other.join();
}

#[test]
fn alternations_time_out_skip_and_see_retirement() {
    let (_, there) = pair();
    let (values, stop) = (Channel::<u8>::new(), Channel::<()>::new());
    let ends = (values.writer(), stop.reader());
    let other = run_on(there, &ends, |(values, stop): (Writer<u8>, Reader<()>)| {
        stop.read().expect("a word");
        values.write(7).expect("a reader");
        stop.read().expect("a word");
        drop(values);
    });
    drop(ends);
    let (values, stop) = (values.reader(), stop.writer());
    // Nothing is ready yet.
    let polled = pri_alt! { x = values.read() => Some(x), skip => None };
    assert_eq!(polled, Ok(None));
    let timed = alt! { x = values.read() => Some(x), after(Duration::from_millis(2)) => None };
    assert_eq!(timed, Ok(None));
    // A value comes.
    stop.write(()).expect("a reader");
    let came = loop {
        let came = pri_alt! { x = values.read() => Some(x), skip => None };
        if let Some(x) = came.expect("not ended") {
            break x;
        }
    };
    assert_eq!(came, 7);
    // The channel retires.
    stop.write(()).expect("a reader");
    let ended = alt! { x = values.read() => u32::from(x), retired(values) => 1000 };
    assert_eq!(ended, Ok(1000));
    let ended = alt! { x = values.read() => Some(x), after(Duration::from_secs(60)) => None };
    assert_eq!(ended, Err(Termination::Retired));
    let ended = pri_alt! { x = values.read() => Some(x), skip => None };
    assert_eq!(ended, Err(Termination::Retired));
    other.join();
}

#[test]
fn an_output_guard_moves_its_value_only_if_it_is_chosen() {
    let (_, there) = pair();
    for capacity in [0, 2] {
        let (values, go) = (Channel::<String>::buffered(capacity), Channel::<()>::new());
        let ends = (values.reader(), go.reader());
        let other = run_on(there, &ends, |(values, go): (Reader<String>, Reader<()>)| {
            go.read().expect("a word");
            values.iter().collect::<Vec<_>>()
        });
        let (values, go) = (values.writer(), go.writer());
        // A guard that is not chosen leaves its value.
        let mut kept = String::from("kept");
        if capacity == 0 {
            let timed = alt! {
                values.write(kept) => { kept = String::new(); true }
                after(Duration::from_millis(2)) => false,
            };
            assert_eq!((timed, &*kept), (Ok(false), "kept"));
        }
        // Chosen guards give theirs away.
        go.write(()).expect("a reader");
        for n in 0..20 {
            let value = format!("{kept}{n}");
            let written = alt! {
                values.write(value) => true,
                after(Duration::from_secs(60)) => false,
            };
            assert_eq!(written, Ok(true));
        }
        drop(values);
        assert_eq!(other.join(), (0..20).map(|n| format!("kept{n}")).collect::<Vec<_>>());
    }
}

#[test]
fn a_maker_that_panics_disappoints_nobody() {
    let (_, there) = pair();
    let channel = Channel::<u32>::new();
    let other = run_on(there, &channel.reader(), |values: Reader<u32>| values.read());
    let writer = channel.writer();
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        alt! { writer.write_with(|| -> u32 { panic!("no value") }) => {} }
    }));
    assert!(made.is_err());
    writer.write(5).expect("a reader");
    assert_eq!(other.join(), Ok(5));
}

/// Processes of both nodes at channels of both homes and at local ones, all in alternations with inputs and outputs.
#[test]
fn alternations_over_two_homes_and_local_channels_deliver_exactly_once() {
    const EACH: u64 = 1500;
    type Ends = (Vec<Reader<u64>>, Vec<Writer<u64>>);

    fn ends(channels: &[Channel<u64>]) -> Ends {
        (
            channels.iter().map(Channel::reader).collect(),
            channels.iter().map(Channel::writer).collect(),
        )
    }

    fn both(mut some: Ends, more: Ends) -> Ends {
        some.0.extend(more.0);
        some.1.extend(more.1);
        some
    }

    /// Writes its numbers and reads others' meanwhile, at any of the channels. Then it reads until
    /// nobody writes.
    fn work(who: u64, (readers, writers): Ends) -> Vec<u64> {
        let (mut got, next) = (Vec::new(), std::cell::Cell::new(0));
        {
            let mut all = Alternation::new();
            for reader in &readers {
                all.read(reader, Some);
            }
            for writer in &writers {
                all.write(writer, || who << 32 | next.get(), || None);
            }
            while next.get() < EACH {
                match all.choose().expect("others are there") {
                    Some(value) => got.push(value),
                    None => next.set(next.get() + 1),
                }
            }
        }
        drop(writers);
        let mut all = Alternation::new();
        for reader in &readers {
            all.read(reader, |value| value);
        }
        while let Ok(value) = all.choose() {
            got.push(value);
        }
        got
    }

    fn workers(who: [u64; 2], shared: &Ends) -> [Running<Vec<u64>>; 2] {
        let locals = 2 * Channel::<u64>::new();
        who.map(|who| {
            let all = both(shared.clone(), ends(&locals));
            run(HERE.get().expect("a node"), move || work(who, all))
        })
    }

    // The other node has two channels of its own, and two workers.
    let (_, there) = pair();
    let (gifts, mine) = (Channel::<Ends>::new(), 2 * Channel::<u64>::new());
    let given = (gifts.writer(), ends(&mine));
    let other = run_on(there, &given, |(gifts, shared): (Writer<Ends>, Ends)| {
        let channels = 2 * Channel::<u64>::new();
        gifts.write(ends(&channels)).expect("a reader");
        let shared = both(shared, ends(&channels));
        drop(channels);
        let workers = workers([1, 2], &shared);
        drop((shared, gifts));
        workers.map(Running::join)
    });
    drop(given);
    // So has this node.
    let shared = both(ends(&mine), gifts.reader().read().expect("their ends"));
    drop(mine);
    let mut all: Vec<u64> = {
        let workers = workers([3, 4], &shared);
        drop(shared);
        workers.into_iter().flat_map(Running::join).collect()
    };
    // Each value was read exactly once.
    all.extend(other.join().into_iter().flatten());
    all.sort_unstable();
    let expected: Vec<u64> =
        (1..=4).flat_map(|who| (0..EACH).map(move |n| who << 32 | n)).collect();
    assert_eq!(all, expected);
}

#[test]
fn what_fails_to_be_packed_is_the_writers_error() {
    #[derive(Debug, PartialEq)]
    struct Picky(u8);
    impl Serialize for Picky {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                0 => Err(serde::ser::Error::custom("not zero")),
                1 => panic!("not one"),
                n => n.serialize(s),
            }
        }
    }
    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            match u8::deserialize(d)? {
                2 => Err(serde::de::Error::custom("not two")),
                3 => panic!("not three"),
                n => Ok(Picky(n)),
            }
        }
    }
    // The other node reads three values.
    let (_, there) = pair();
    let channel = Channel::<Picky>::new();
    let other = run_on(there, &channel.reader(), |values: Reader<Picky>| {
        let told = |ended: Termination| format!("{ended:#}");
        (values.read().map_err(told), values.read().map_err(told), values.read().map_err(told))
    });
    let writer = channel.writer();
    // Errors of packing are the writer's.
    for n in [0, 1] {
        let mut error = writer.write(Picky(n)).expect_err("it can't be packed");
        assert_eq!(*error.get_mut(), Picky(n));
        let text = format!("{:#}", error.termination);
        assert!(text.contains("Serialize") && text.contains("Picky"), "{text}");
        let cause = error.termination.poison().expect("poison").cause();
        assert!(matches!(cause, Cause::Serialization { .. }));
    }
    // Errors of unpacking are the reader's.
    (2..5).for_each(|n| writer.write(Picky(n)).expect("a reader"));
    let (two, three, four) = other.join();
    assert!(two.expect_err("it can't be unpacked").contains("Deserialize"));
    assert!(three.expect_err("it can't be unpacked").contains("not three"));
    assert_eq!(four, Ok(Picky(4)));
    assert!(serde_json::to_vec(&writer).is_err(), "not by anybody's serializer");
}

#[test]
fn values_of_every_size_arrive() {
    let (_, there) = pair();
    let (to, back) = (Channel::<Vec<u8>>::new(), Channel::<(usize, u64)>::new());
    let ends = (to.reader(), back.writer());
    let other = run_on(there, &ends, |(to, back): (Reader<Vec<u8>>, Writer<(usize, u64)>)| {
        for value in &to {
            let sum = value.iter().map(|byte| u64::from(*byte)).sum();
            back.write((value.len(), sum)).expect("a reader");
        }
    });
    let (to, back) = (to.writer(), back.reader());
    let sizes = [0, 1, 21, 22, 23, 8191, 8192, 65_535, 65_536, 65_537, 1 << 20, 4 << 20];
    for size in sizes {
        let value: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let sum = value.iter().map(|byte| u64::from(*byte)).sum();
        to.write(value).expect("a reader");
        assert_eq!(back.read(), Ok((size, sum)));
    }
    to.retire();
    other.join();
}

#[test]
fn siblings_talk_by_their_parent() {
    let (here, first) = pair();
    let second = child(here);
    // The home (owning node) is one of the siblings, so the parent passes on their messages to each
    // other.
    let gifts = Channel::<Reader<u64>>::new();
    let home = run_on(first, &gifts.writer(), |gifts: Writer<Reader<u64>>| {
        let channel = Channel::<u64>::new();
        gifts.write(channel.reader()).expect("a reader");
        let writer = channel.writer();
        drop(channel);
        (0..300).for_each(|n| writer.write(n).expect("a reader"));
    });
    let gift = gifts.reader().read().expect("an end");
    let other = run_on(second, &gift, |reader: Reader<u64>| reader.iter().sum::<u64>());
    drop(gift);
    home.join();
    assert_eq!(other.join(), 299 * 150);
}

#[test]
fn what_a_dead_child_held_is_given_up() {
    for departure in [Departure::Retires, Departure::Poisons] {
        let (here, there) = pair();
        let channel = Channel::<u32>::new();
        let other = run_on(there, &channel.writer(), |writer: Writer<u32>| {
            writer.write(1).expect("a reader");
            std::mem::forget(writer);
        });
        let reader = channel.reader();
        drop(channel);
        assert_eq!(reader.read(), Ok(1));
        other.join();
        ended(here, there.id(), departure, "main/child", "signal: 9");
        let ended = reader.read().expect_err("nobody is left");
        match departure {
            Departure::Retires => assert_eq!(ended, Termination::Retired),
            Departure::Poisons => {
                assert!(
                    format!("{ended:#}").contains("`main/child` was lost: signal: 9"),
                    "{ended:#}"
                );
            }
        }
    }
}

/// A peer that was started may be stopped, break a rule, or live on without its stream.
#[cfg(feature = "hosts")]
#[test]
fn a_started_peer_whose_stream_is_lost_is_killed() {
    use crate::backend::subprocess::transport::stream::{StreamEnds, StreamSide};
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    for how in ["broke the protocol", "not heard", "has ended"] {
        let (here, id) = (node(), super::draw());
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let (tell, killed) = mpsc::channel();
        let kill = move |reason: &str| drop(tell.send(reason.to_owned()));
        let (side, timeout) = (StreamSide::Starter, Duration::from_millis(60));
        let ends = StreamEnds::of_socket(ours).expect("a descriptor");
        let kill: super::peers::Kill = Box::new(kill);
        let ender =
            here.meet_by_stream(id, ends, side, timeout, Some(kill), drop).expect("a stream");
        match how {
            "not heard" => ender.begin(),
            "has ended" => theirs = UnixStream::pair().expect("two sockets").0,
            _ => theirs.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").expect("a socket"),
        }
        let reason = killed.recv_timeout(Duration::from_secs(300)).expect("a kill");
        assert!(reason.contains(how), "{reason}");
        let is_cut = here.lock().peers.all[0].cut.is_some();
        assert_eq!(is_cut, how != "has ended", "{how}");
        drop(theirs);
    }
}

/// Its stream may end while it is started.
#[cfg(feature = "hosts")]
#[test]
fn a_peer_whose_stream_was_lost_before_it_ran_is_killed() {
    use crate::backend::subprocess::transport::stream::{PEER_TIMEOUT, StreamEnds, StreamSide};
    use std::os::unix::net::UnixStream;
    let (here, id) = (node(), super::draw());
    let (ours, theirs) = UnixStream::pair().expect("two sockets");
    let ends = StreamEnds::of_socket(ours).expect("a descriptor");
    let (tell, lost) = mpsc::channel();
    let on_loss = move |loss| drop(tell.send(loss));
    here.meet_by_stream(id, ends, StreamSide::Starter, PEER_TIMEOUT, None, on_loss)
        .expect("a stream");
    drop(theirs);
    assert_eq!(lost.recv(), Ok(LinkLoss::Ended));
    // The node has handled it, too.
    here.drain_streams(&mut here.lock());
    let (tell, killed) = mpsc::channel();
    here.started(id, move |reason: &str| drop(tell.send(reason.to_owned())), |_| true);
    let reason = killed.recv_timeout(Duration::from_secs(300)).expect("a kill");
    assert!(reason.contains("has ended"), "{reason}");
}

/// Its link goes on.
#[cfg(feature = "hosts")]
#[test]
fn a_value_that_is_too_long_for_a_stream_is_its_writers_error() {
    let here = node();
    HERE.set(Some(here));
    let there = child_by_stream(here);
    let channel = Channel::<String>::new();
    let other = run_on(there, &channel.reader(), |values: Reader<String>| {
        values.iter().map(|value| value.len()).collect::<Vec<_>>()
    });
    let writer = channel.writer();
    drop(channel);
    let long = 64 << 20;
    let mut error = writer.write("a".repeat(long)).expect_err("it is too long");
    assert_eq!(error.get_mut().len(), long);
    let text = format!("{:#}", error.termination);
    assert!(text.contains("write it in parts"), "{text}");
    let longest = long - 100;
    for length in [1, longest, 2] {
        writer.write("a".repeat(length)).expect("a reader");
    }
    writer.retire();
    assert_eq!(other.join(), [1, longest, 2]);
}

/// A copy has no thread for streams, and the descriptors of all.
#[cfg(feature = "hosts")]
#[test]
fn a_copy_starts_nobody_by_a_stream() {
    use super::control::streams::{StreamInvitation, prepare_stream};
    use crate::backend::subprocess::transport::stream::StreamEnds;
    use std::os::unix::net::UnixStream;
    HERE.set(Some(node()));
    let invitation = StreamInvitation::draw(None);
    let (ours, _theirs) = UnixStream::pair().expect("two sockets");
    let ends = StreamEnds::of_socket(ours).expect("a descriptor");
    // SAFETY: the copy asks for a stream, which it is refused, and ends without any destructor.
    let status = unsafe {
        let copy = libc::fork();
        if copy == 0 {
            let prepared = prepare_stream(&invitation, ends, drop);
            libc::_exit(i32::from(prepared.is_ok()));
        }
        let mut status = 0;
        libc::waitpid(copy, &raw mut status, 0);
        status
    };
    assert_eq!(status, 0);
}

/// It has handled nothing from the moment on at which it left its home.
#[test]
fn what_is_sent_to_a_child_that_has_left_reaches_its_heir() {
    let (here, there) = pair();
    let given = Channel::<(Reader<u8>, Writer<u8>)>::new();
    let other = run_on(there, &given.writer(), |given| {
        let values = Channel::new();
        given.write((values.reader(), values.writer())).expect("a reader");
    });
    let (reader, writer) = given.reader().read().expect("two ends");
    drop(given);
    other.join();
    there.settle();
    let before = here.sent();
    let (writes, reads) = (run(here, move || writer.write(7)), run(here, move || reader.read()));
    let is_out = || here.lock().peers.all.iter().all(|peer| !peer.link.is_backed_up());
    while here.sent() < before + 2 || !is_out() {
        thread::yield_now();
    }
    read_to_the_end(there.id());
    dies(here, there.id(), true, Departure::Retires, "child", "it has ended");
    assert_eq!((reads.join(), writes.join()), (Ok(7), Ok(())));
}

/// A node that asks for a forgotten one is told that it has ended, if not which it was.
#[test]
fn ten_thousand_dead_are_not_all_remembered() {
    let (here, there) = pair();
    let gifts = Channel::<Reader<u64>>::new();
    // A node dies while this one has an end of its channel.
    let home = run_on(there, &gifts.writer(), |gifts: Writer<Reader<u64>>| {
        let channel = Channel::<u64>::new();
        gifts.write(channel.reader()).expect("a reader");
        std::mem::forget(channel);
    });
    let gift = gifts.reader().read().expect("an end");
    home.join();
    ended(here, there.id(), Departure::Poisons, "main/home", "aborted");
    // Many more die.
    for n in 0..10_000 {
        let prepared = here.prepare().expect("memory");
        ended(here, prepared.id, Departure::Poisons, &format!("main/child {n}"), "exit: 1");
    }
    let inner = here.lock();
    let remembered = (inner.deaths.dead.len(), inner.causes.lost.len(), inner.machine.dead());
    assert!(remembered.0 <= 1024 && remembered.1 <= 1024 && remembered.2 <= 4096, "{remembered:?}");
    drop(inner);
    // The end still reports a death.
    let late = gift.read().expect_err("its home is gone");
    assert!(matches!(late.poison().map(crate::Poison::cause), Some(Cause::Lost { .. })), "{late}");
}

#[test]
fn the_death_of_a_sibling_reaches_everybody() {
    let (here, first) = pair();
    let second = child(here);
    let gifts = Channel::<Reader<u64>>::new();
    let home = run_on(first, &gifts.writer(), |gifts: Writer<Reader<u64>>| {
        let channel = Channel::<u64>::new();
        gifts.write(channel.reader()).expect("a reader");
        std::mem::forget(channel);
    });
    let gift = gifts.reader().read().expect("an end");
    let other = run_on(second, &gift, |reader: Reader<u64>| reader.read());
    home.join();
    thread::sleep(Duration::from_millis(5));
    ended(here, first.id(), Departure::Poisons, "main/home", "aborted");
    let ended = other.join().expect_err("its home is gone");
    assert!(format!("{ended:#}").contains("`main/home` was lost: aborted"), "{ended:#}");
    let late = gift.read().expect_err("its home is gone");
    assert!(format!("{late:#}").contains("`main/home` was lost"), "{late:#}");
}

#[test]
fn ten_thousand_channels_are_shared() {
    let (here, there) = pair();
    let channels = 10_000 * Channel::<u32>::new();
    let readers: Vec<_> = channels.iter().map(Channel::reader).collect();
    let other = run_on(there, &readers, |readers: Vec<Reader<u32>>| {
        readers.iter().map(|reader| u64::from(reader.read().expect("a value"))).sum::<u64>()
    });
    drop(readers);
    for (n, channel) in (0..).zip(&channels) {
        channel.writer().write(n).expect("a reader");
    }
    assert_eq!(other.join(), 9999 * 5000);
    drop(channels);
    let began = Instant::now();
    while here.lock().machine.channels() > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(300),
            "channels that nobody can use are kept"
        );
        thread::yield_now();
    }
}

#[test]
fn a_waiting_reader_is_no_deadlock_and_a_retired_one_wakes() {
    let (_, there) = pair();
    let over = Arc::new(AtomicBool::new(false));
    let channel = Channel::<u8>::new();
    let other = {
        let over = Arc::clone(&over);
        run_on(there, &channel.reader(), move |reader: Reader<u8>| {
            let ended = reader.read();
            over.store(true, Ordering::SeqCst);
            ended
        })
    };
    let writer = channel.writer();
    thread::sleep(Duration::from_millis(600));
    assert!(!over.load(Ordering::SeqCst));
    writer.retire();
    drop(channel);
    assert_eq!(other.join(), Err(Termination::Retired));
}
