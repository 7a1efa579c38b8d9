//! Late values that were promised to a daemon whose thread ends before they are made. The next reader gets them.

use std::sync::mpsc;
use std::thread;

use csp::{Channel, Reader, Termination, Writer, alt, multiprocess, process, spawn};
use csp_tests::Arrival;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::killed::{signal, stop};
use crate::{here, tests};

type Found = Result<u32, Termination>;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Sort {
    Reads,
    Begins,
    Chooses,
}

const EACH: [Sort; 3] = [Sort::Reads, Sort::Begins, Sort::Chooses];

#[process]
fn waits(sort: Sort, input: Reader<u32>, begun: Writer<()>, done: mpsc::Sender<Found>) {
    begun.write(()).expect("its thread");
    let found = match sort {
        Sort::Reads => input.read(),
        Sort::Begins => input.begin().map(|value| *value),
        Sort::Chooses => alt! { n = input.read() => n },
    };
    let _ = done.send(found);
}

/// Leaves a daemon behind, by a thread that does `before_its_end` when the daemon waits.
fn leave_behind(
    sort: Sort,
    input: Reader<u32>,
    before_its_end: impl FnOnce() + Send + 'static,
) -> (thread::JoinHandle<()>, mpsc::Receiver<Found>) {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let channel = Channel::new();
        drop(spawn(waits(sort, input, channel.writer(), done).daemon()));
        // It goes on to its operation before this thread goes on.
        channel.reader().read().expect("a daemon");
        before_its_end();
    });
    (thread, ended)
}

/// The ends of the OS process that writes.
#[derive(Serialize, Deserialize)]
struct Writes {
    out: Writer<u32>,
    /// It says when the channels are shared, and again when the value is promised. It names its OS process.
    begun: Writer<u32>,
    goes_on: Reader<()>,
    /// It arrives where it writes the value.
    waits: Arrival,
}

/// The ends of the OS process that reads.
#[derive(Serialize, Deserialize)]
struct Reads {
    input: Reader<u32>,
    begun: Reader<u32>,
    goes_on: Writer<()>,
    waits: Arrival,
}

fn channels() -> (Writes, Reads) {
    let (values, begun, goes_on) = (Channel::new(), Channel::new(), Channel::new());
    let waits = Arrival::new();
    let writes = Writes {
        out: values.writer(),
        begun: begun.writer(),
        goes_on: goes_on.reader(),
        waits: waits.clone(),
    };
    let reads =
        Reads { input: values.reader(), begun: begun.reader(), goes_on: goes_on.writer(), waits };
    (writes, reads)
}

fn writes(Writes { out, begun, goes_on, waits }: Writes) {
    begun.write(here()).expect("a reader");
    // The daemon waits by then.
    goes_on.read().expect("a writer");
    let late = || {
        begun.write(here()).expect("a reader");
        goes_on.read().expect("a writer");
        waits.announce();
        9
    };
    let written: csp::Result = alt! { out.write_with(late) => () };
    assert_eq!(written, Ok(()));
    // The channel retires only then, because its reader has the value.
    goes_on.read().expect("a writer");
}

/// The value is made when the thread of its first reader has ended.
fn reads(sort: Sort, Reads { input, begun, goes_on, .. }: Reads) {
    begun.read().expect("a writer");
    let waits = goes_on.clone();
    let (thread, found) = leave_behind(sort, input.clone(), move || {
        waits.write(()).expect("a reader");
        begun.read().expect("a writer");
    });
    thread.join().expect("it does not panic");
    assert_eq!(found.recv(), Ok(Err(Termination::Retired)), "{sort:?}");
    goes_on.write(()).expect("a reader");
    assert_eq!(input.read(), Ok(9), "{sort:?}");
    goes_on.write(()).expect("a reader");
}

#[multiprocess]
fn writes_there(ends: Writes) {
    writes(ends);
}

#[multiprocess]
fn reads_there(sort: Sort, ends: Reads) {
    reads(sort, ends);
}

/// Has the channels, and gives its partner the ends.
#[multiprocess]
fn writes_at_home(give: Writer<Reads>) {
    let (own, theirs) = channels();
    give.write(theirs).expect("a reader");
    drop(give);
    writes(own);
}

tests! {
    fn a_promised_value_of_a_child_comes_to_the_next_reader() {
        for sort in EACH {
            let (theirs, own) = channels();
            let child = spawn(writes_there(theirs));
            reads(sort, own);
            child.join();
        }
    }

    fn a_promised_value_of_a_parent_comes_to_the_next_reader() {
        for sort in EACH {
            let (own, theirs) = channels();
            let child = spawn(reads_there(sort, theirs));
            writes(own);
            child.join();
        }
    }

    fn a_promised_value_at_the_home_of_its_writer_comes_to_the_next_reader() {
        for sort in EACH {
            let channel = Channel::new();
            let child = spawn(writes_at_home(channel.writer()));
            let ends = channel.reader();
            drop(channel);
            reads(sort, ends.read().expect("a child"));
            child.join();
        }
    }

    fn a_promised_value_comes_from_one_child_to_the_next_reader_in_another() {
        for sort in EACH {
            let (to_one, to_other) = channels();
            let children = (spawn(writes_there(to_one)), spawn(reads_there(sort, to_other)));
            children.0.join();
            children.1.join();
        }
    }

    // The writer is stopped when the daemon comes for the value, and the thread does not wait for it. The value comes when
    // the thread has ended.
    fn a_promised_value_that_comes_after_the_end_of_a_thread_comes_to_the_next_reader() {
        // An extended read keeps its writer from the promise until the daemon has it.
        for sort in [Sort::Reads, Sort::Chooses] {
            let (theirs, Reads { input, begun, goes_on, waits }) = channels();
            let child = spawn(writes_there(theirs));
            let partner = begun.read().expect("a writer");
            // The thread runs nothing until it is told to.
            let [(says, said), (tell, told)] = [mpsc::channel(), mpsc::channel()];
            let (thread, _found) = leave_behind(sort, input.clone(), move || {
                says.send(()).expect("the law");
                told.recv().expect("the law");
            });
            said.recv().expect("the thread");
            goes_on.write(()).expect("a reader");
            begun.read().expect("a writer");
            goes_on.write(()).expect("a reader");
            waits.until_blocked();
            stop(partner);
            tell.send(()).expect("the thread");
            thread.join().expect("it does not panic");
            signal(partner, Signal::CONT);
            assert_eq!(input.read(), Ok(9), "{sort:?}");
            goes_on.write(()).expect("a reader");
            child.join();
        }
    }
}
