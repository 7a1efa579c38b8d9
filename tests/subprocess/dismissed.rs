//! Daemons whose thread has ended while they waited at a channel of another OS process. Nobody communicates with them any
//! more, so no value is lost.

use std::sync::mpsc;
use std::thread;

use csp::{Channel, Reader, Termination, Writer, alt, multiprocess, parallel, process, spawn};
use csp_tests::Arrival;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::killed::{signal, stop};
use crate::{here, tests};

/// The operation of the daemon.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Sort {
    Reads,
    Begins,
    Writes,
    Chooses,
    /// A choice that has a guard in its own OS process, too.
    ChoosesHereToo,
    /// A choice whose value is made late.
    WritesLate,
}

const EACH: [Sort; 6] = [
    Sort::Reads,
    Sort::Begins,
    Sort::Writes,
    Sort::Chooses,
    Sort::ChoosesHereToo,
    Sort::WritesLate,
];

#[process]
fn waits(
    sort: Sort,
    input: Reader<u32>,
    out: Writer<u32>,
    begun: Writer<()>,
    done: mpsc::Sender<Found>,
) {
    begun.write(()).expect("its thread");
    let channel = Channel::new();
    let (own, _open): (Reader<u32>, Writer<u32>) = (channel.reader(), channel.writer());
    let found = match sort {
        Sort::Reads => input.read(),
        Sort::Begins => input.begin().map(|value| *value),
        Sort::Writes => out.write(9).map(|()| 9).map_err(|error| error.termination),
        Sort::Chooses => alt! { n = input.read() => n, out.write(9) => 9 },
        Sort::ChoosesHereToo => {
            alt! { n = own.read() => n, n = input.read() => n, out.write(9) => 9 }
        }
        Sort::WritesLate => alt! { n = input.read() => n, out.write_with(|| 9) => 9 },
    };
    let _ = done.send(found);
}

type Found = Result<u32, Termination>;

/// Leaves a daemon behind, by a thread that ends.
fn leave_behind(sort: Sort, input: Reader<u32>, out: Writer<u32>) -> mpsc::Receiver<Found> {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let channel = Channel::new();
        drop(spawn(waits(sort, input, out, channel.writer(), done).daemon()));
        // It goes on to its operation before this thread goes on.
        channel.reader().read().expect("a daemon");
    });
    thread.join().expect("it does not panic");
    ended
}

/// The part of the OS process with the daemon.
fn leaves(sort: Sort, Theirs { input, out, word, .. }: Theirs) {
    let found = leave_behind(sort, input.clone(), out.clone()).recv();
    assert_eq!(found, Ok(Err(Termination::Retired)), "{sort:?}");
    assert_eq!((input.termination(), out.termination()), (None, None), "{sort:?}");
    goes_on(&input, &out, &word);
}

/// Both channels are as they were.
fn goes_on(input: &Reader<u32>, out: &Writer<u32>, word: &Writer<()>) {
    // The second word is heard when the partner has seen that for its own ends.
    word.write(()).expect("a reader");
    word.write(()).expect("a reader");
    assert_eq!(input.read(), Ok(3));
    out.write(4).expect("a reader");
}

#[process]
fn puts(out: Writer<u32>, value: u32) -> csp::Result {
    Ok(out.write(value)?)
}

#[process]
fn takes(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

/// The ends of the OS process with the daemon.
#[derive(Serialize, Deserialize)]
struct Theirs {
    input: Reader<u32>,
    out: Writer<u32>,
    word: Writer<()>,
    /// The OS process of the partner.
    partner: u32,
}

/// The ends of its partner.
#[derive(Serialize, Deserialize)]
struct Own {
    /// Both ends of the channel that the daemon reads, and of the channel that it writes.
    to: (Reader<u32>, Writer<u32>),
    from: (Reader<u32>, Writer<u32>),
    word: Reader<()>,
}

fn both() -> (Reader<u32>, Writer<u32>) {
    let channel = Channel::new();
    (channel.reader(), channel.writer())
}

/// The channel that the daemon reads, and the one that it writes.
fn channels(from: Option<(Reader<u32>, Writer<u32>)>) -> (Theirs, Own) {
    let (to, word) = (Channel::new(), Channel::new());
    let from = from.unwrap_or_else(both);
    let theirs =
        Theirs { input: to.reader(), out: from.1.clone(), word: word.writer(), partner: here() };
    (theirs, Own { to: (to.reader(), to.writer()), from, word: word.reader() })
}

/// The part of the partner. The values come to the next reader, and from the next writer.
fn meets(Own { to, from, word }: Own) {
    assert_eq!(word.read(), Ok(()));
    assert_eq!(parallel!(puts(to.1.clone(), 1), takes(to.0)), (Ok(()), Ok(1)));
    assert_eq!(parallel!(puts(from.1, 2), takes(from.0.clone())), (Ok(()), Ok(2)));
    assert_eq!(word.read(), Ok(()));
    to.1.write(3).expect("a reader");
    assert_eq!(from.0.read(), Ok(4));
}

#[process]
fn waits_to_write(waits: Arrival, out: Writer<u32>) -> csp::Result {
    waits.announce();
    Ok(out.write(1)?)
}

/// Has a channel at which a writer waits. It says so when that is certain. The channel goes on until the value has been read.
#[multiprocess]
fn has_a_waiting_writer(give: Writer<(Reader<u32>, u32)>, word: Writer<()>, over: Reader<()>) {
    let channel = Channel::new();
    give.write((channel.reader(), here())).expect("a reader");
    let waits = Arrival::new();
    let open = channel.writer();
    let writing = spawn(waits_to_write(waits.clone(), open.clone()));
    waits.until_blocked();
    word.write(()).expect("a reader");
    assert_eq!((writing.join(), over.read()), (Ok(()), Ok(())));
    drop(open);
}

#[multiprocess]
fn leaves_there(sort: Sort, ends: Theirs) {
    leaves(sort, ends);
}

#[multiprocess]
fn meets_there(ends: Own) {
    meets(ends);
}

/// Makes the channels, or one of them, and gives its partner the ends.
#[multiprocess]
fn meets_at_home(give: Writer<Theirs>, from: Option<(Reader<u32>, Writer<u32>)>) {
    let (theirs, own) = channels(from);
    give.write(theirs).expect("a reader");
    drop(give);
    meets(own);
}

/// Starts that child, and returns the ends that it gives.
macro_rules! met_at_home {
    ($from:expr) => {{
        let channel = Channel::new();
        let child = spawn(meets_at_home(channel.writer(), $from));
        let ends = channel.reader();
        drop(channel);
        (child, ends.read().expect("a child"))
    }};
}

tests! {
    fn a_daemon_at_a_channel_of_its_parent_swallows_nothing() {
        for sort in EACH {
            let (theirs, own) = channels(None);
            let child = spawn(leaves_there(sort, theirs));
            meets(own);
            child.join();
        }
    }

    fn a_daemon_at_a_channel_of_its_child_swallows_nothing() {
        for sort in EACH {
            let (child, ends) = met_at_home!(None);
            leaves(sort, ends);
            child.join();
        }
    }

    fn a_daemon_at_a_shared_channel_of_its_own_swallows_nothing() {
        for sort in EACH {
            let (theirs, own) = channels(None);
            let child = spawn(meets_there(own));
            leaves(sort, theirs);
            child.join();
        }
    }

    fn a_daemon_at_channels_of_two_homes_swallows_nothing() {
        for sort in EACH {
            let (child, ends) = met_at_home!(Some(both()));
            leaves(sort, ends);
            child.join();
        }
    }

    fn a_thread_does_not_wait_for_a_home_that_is_stopped() {
        for sort in EACH {
            let (child, Theirs { input, out, word, partner }) = met_at_home!(None);
            stop(partner);
            let _left = leave_behind(sort, input.clone(), out.clone());
            signal(partner, Signal::CONT);
            goes_on(&input, &out, &word);
            child.join();
        }
    }

    // The home gives the value when it goes on, before it reads that nobody waits for it any more.
    fn a_value_that_comes_after_the_end_of_a_thread_goes_back() {
        for sort in [Sort::Reads, Sort::Begins, Sort::Chooses, Sort::ChoosesHereToo] {
            let [word, over] = [(); 2].map(|()| Channel::new());
            let give = Channel::new();
            let child = spawn(has_a_waiting_writer(give.writer(), word.writer(), over.reader()));
            let (given, says) = (give.reader(), word.reader());
            let (input, partner) = given.read().expect("a child");
            assert_eq!(says.read(), Ok(()));
            stop(partner);
            let (_taken, out) = both();
            let _left = leave_behind(sort, input.clone(), out);
            signal(partner, Signal::CONT);
            assert_eq!(input.read(), Ok(1), "{sort:?}");
            over.writer().write(()).expect("a reader");
            child.join();
        }
    }

    fn a_thread_does_not_wait_for_a_home_that_is_dead() {
        for sort in EACH {
            let (child, Theirs { input, out, partner, .. }) = met_at_home!(None);
            signal(partner, Signal::KILL);
            // A stopped OS process may hold up the news of this death, so the daemon is perhaps left as it is.
            let found = leave_behind(sort, input, out);
            assert!(child.try_join().is_err());
            assert!(!matches!(found.try_recv(), Ok(Ok(_))), "{sort:?}");
        }
    }
}
