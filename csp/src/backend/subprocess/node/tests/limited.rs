//! OS processes that have no stream, in a network where another one has.
#![allow(unsafe_code, reason = "sections for the linker, in the crate that collects them")]

use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use crate::backend::subprocess::node::{self, Departure, Node, draw};
use crate::backend::subprocess::transport::inbox::longest_value;
use crate::backend::subprocess::transport::stream::{PEER_TIMEOUT, StreamEnds, StreamSide};
use crate::{Channel, Reader, Writer, multiprocess, spawn, try_parallel};

const NO_LIMIT: u64 = usize::MAX as u64;
const LIMIT: u64 = 64 << 20;

/// Answers each question with the length of the longest value that it may write.
#[multiprocess(crate = crate)]
fn answers(questions: Reader<()>, lengths: Writer<u64>) {
    for () in &questions {
        lengths.write(longest_value() as u64).expect("a reader");
    }
}

/// Has a child that answers.
#[multiprocess(crate = crate)]
fn passes_on(questions: Reader<()>, lengths: Writer<u64>) {
    spawn(answers(questions, lengths)).join();
}

/// A child that answers, or that has a child that does so.
struct Answering {
    ask: Writer<()>,
    answer: Reader<u64>,
}

impl Answering {
    fn begin(is_behind: bool) -> Self {
        let (questions, lengths) = (Channel::new(), Channel::new());
        let (to, from) = (questions.reader(), lengths.writer());
        match is_behind {
            false => drop(spawn(answers(to, from))),
            true => drop(spawn(passes_on(to, from))),
        }
        Self { ask: questions.writer(), answer: lengths.reader() }
    }

    fn says(&self, limit: u64) {
        self.ask.write(()).expect("a child");
        assert_eq!(self.answer.read(), Ok(limit));
    }
}

/// Runs in an OS process of its own, because the limit stays. Its parent has no stream.
#[multiprocess(crate = crate)]
fn gets_a_stream() {
    let (near, behind) = (Answering::begin(false), Answering::begin(true));
    near.says(NO_LIMIT);
    behind.says(NO_LIMIT);
    // Its peer has not begun.
    let (ours, theirs) = UnixStream::pair().expect("two sockets");
    let ends = StreamEnds::of_socket(ours).expect("a descriptor");
    let (id, (tell, lost)) = (draw(), mpsc::channel());
    let on_loss = move |loss| drop(tell.send(loss));
    Node::here()
        .meet_by_stream(id, ends, StreamSide::Starter, PEER_TIMEOUT, None, on_loss)
        .expect("a stream");
    // The news goes ahead of the next question, and children that begin later know it.
    near.says(LIMIT);
    behind.says(LIMIT);
    Answering::begin(false).says(LIMIT);
    Answering::begin(true).says(LIMIT);
    // This OS process ends once it knows what has become of its peer.
    drop(theirs);
    lost.recv().expect("a loss");
    node::ended(id, false, Departure::Poisons, "nobody".to_owned(), "never begun".to_owned());
}

#[test]
#[ignore = "run by the next one"]
fn alone_without_a_stream() {
    let done = try_parallel!(gets_a_stream());
    assert!(done.is_ok(), "{done:?}");
}

/// The OS process of all tests may have streams, so another one runs this.
#[test]
fn no_os_process_writes_a_longer_value_than_a_stream_takes() {
    let exe = std::env::current_exe().expect("this test");
    let this = module_path!().split_once("::").expect("a crate").1;
    let alone = format!("{this}::alone_without_a_stream");
    let run = std::process::Command::new(exe)
        .args(["--exact", &alone, "--ignored"])
        .output()
        .expect("the test again");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
