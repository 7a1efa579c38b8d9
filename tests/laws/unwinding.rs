//! A process that panics releases all it holds: values are dropped once, ends poison, guards
//! release, and nothing blocks.

use crate::processes::{sink, write_once};
use csp::{
    Alternation, Channel, Erased, Failure, Process, Reader, Termination, Writer, alt, parallel,
    spawn, try_parallel,
};
use csp_tests::{Arrival, Ledger, Token, caught, in_place, laws, poisoned_by_panic, process};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[process]
fn crashes_with_values(input: Reader<Token>, kept: Vec<Token>) {
    let _read = input.read();
    assert!(kept.is_empty(), "with {} values", kept.len());
}

#[process]
fn crashes_in_extended_rendezvous(input: Reader<Token>) {
    let held = input.begin().expect("a writer");
    panic!("holding value {}", held.id());
}

#[process]
fn writes_two(first: Token, second: Token, output: Writer<Token>) -> (bool, Option<Termination>) {
    let first = output.write(first).is_ok();
    (first, output.write(second).err().map(Termination::from))
}

/// Communicates in its destructor.
struct LastWords {
    output: Writer<u32>,
    input: Reader<u32>,
    said: Arc<Mutex<Vec<&'static str>>>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let write = self.output.write(1).is_ok();
        self.said.lock().unwrap().push(if write { "written" } else { "not written" });
        let read = self.input.read().is_ok();
        self.said.lock().unwrap().push(if read { "read" } else { "not read" });
    }
}

#[process]
fn crashes_talking(words: LastWords) {
    let _words = words;
    panic!("goodbye");
}

/// Waits for another process in its destructor.
struct LastWait(Option<csp::Spawned<()>>, Arc<Mutex<Vec<bool>>>);

impl Drop for LastWait {
    fn drop(&mut self) {
        let joined = self.0.take().expect("dropped once").try_join();
        self.1.lock().unwrap().push(joined.is_ok());
    }
}

#[process]
fn crashes_waiting(wait: LastWait) {
    let _wait = wait;
    panic!("goodbye");
}

#[process]
fn catches_its_own(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    for value in &input {
        let doubled = catch_unwind(|| if value % 2 == 1 { panic!("odd") } else { value * 2 });
        output.write(doubled.unwrap_or(0))?;
    }
    Ok(9)
}

/// Catches a panic of its own, while the process panics.
struct Catches;

impl Drop for Catches {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("the inner panic")).is_err());
    }
}

/// Panics with a panic inside. The end dropped first reports the outer panic, and so does the end dropped after the inner one.
#[process]
fn crashes_with_a_panic_inside(before: Writer<u32>, after: Writer<u32>) {
    let _after = after;
    let _catches = Catches;
    let _before = before;
    panic!("the outer panic");
}

/// Waits in its destructor for the processes that its process has spawned, and holds the end that they wait for.
struct ShutsDown {
    _go: Writer<()>,
}

impl Drop for ShutsDown {
    fn drop(&mut self) {
        csp::shutdown();
    }
}

/// May panic when it is dropped. Then its end is dropped during that panic.
struct Explodes(Reader<u32>);

impl Drop for Explodes {
    fn drop(&mut self) {
        assert!(self.0.termination().is_some(), "dropped too early");
    }
}

/// Makes two choices that panic before a guard is chosen, and a third whose arm panics.
#[process]
fn chooses_carelessly(input: Reader<u32>, output: Writer<u32>) -> csp::Result<u32> {
    let careless = |way: u8| -> u32 { panic!("careless {way}") };
    let chosen = caught!(alt! { value = input.read() => value, output.write(careless(1)) => 0 });
    assert!(chosen.is_err());
    let chosen = caught!(
        alt! { value = input.read() => value, if careless(2) == 0, after(Duration::ZERO) => 0 }
    );
    assert!(chosen.is_err());
    let mut set = Alternation::new();
    set.read(&input, |value| value);
    set.read(&input, |_| careless(3));
    let mut taken = 0;
    while let Ok(chosen) = caught!(set.choose()) {
        taken += chosen?;
    }
    // Only the value taken by the arm that panicked is gone.
    drop(set);
    Ok(taken + input.iter().sum::<u32>())
}

laws! {
    here: "it is about what a thread does while it unwinds";

    fn a_panic_inside_a_panic_does_not_change_what_is_said(backend) {
        let (before, after) = (Channel::new(), Channel::new());
        let crashed =
            spawn(backend.place(crashes_with_a_panic_inside(before.writer(), after.writer())));
        for reader in [before.reader(), after.reader()] {
            let (_, what) = poisoned_by_panic(&reader.read().unwrap_err()).expect("a panic");
            assert_eq!(what, "the outer panic");
        }
        assert_eq!(crashed.try_join().unwrap_err().message(), "the outer panic");
    }

    fn a_panic_while_an_end_is_dropped_retires_it_all_the_same(backend) {
        let values = Channel::new();
        let (reader, writer) = (values.reader(), values.writer());
        drop(values);
        let writes = backend.start(in_place!(move || writer.write(1).map_err(Termination::from)));
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(Explodes(reader))));
        assert!(dropped.is_err());
        // The end was dropped while its thread unwound, so it reports that panic.
        let ended = writes.join().unwrap_err();
        assert!(poisoned_by_panic(&ended).is_some_and(|(_, what)| what.contains("too early")));
    }

    fn a_panic_in_a_guards_expression_leaves_no_trace(backend) {
        let (values, nobody) = (Channel::new(), Channel::new());
        let chooses = spawn(backend.place(chooses_carelessly(values.reader(), nobody.writer())));
        let from = nobody.reader();
        let source = spawn(backend.place(crate::processes::source(vec![1; 20], values.writer())));
        drop((values, nobody));
        assert_eq!(source.join(), Ok(()));
        assert_eq!(chooses.join(), Ok(19));
        assert_eq!(from.read(), Err(Termination::Retired), "nothing was written");
    }

    fn a_panic_drops_each_value_once(backend) {
        let ledger = Ledger::new(10);
        let values = Channel::new();
        let kept = (1..9).map(|id| ledger.token(id)).collect();
        let last =
            spawn(backend.place(write_once(ledger.token(0), values.writer(), Arrival::new())));
        let result = try_parallel!(backend.place(crashes_with_values(values.reader(), kept)));
        assert_eq!(result.unwrap_err().message(), "with 8 values");
        last.join().unwrap();
        drop(ledger.token(9));
        ledger.balance();
    }

    fn a_panic_gives_blocked_writers_their_values_back(backend) {
        let ledger = Ledger::new(5);
        let values = Channel::new();
        let writers: Vec<_> = (0..4)
            .map(|id| {
                spawn(backend.place(write_once(ledger.token(id), values.writer(), Arrival::new())))
            })
            .collect();
        let result = try_parallel!(
            backend.place(crashes_with_values(values.reader(), vec![ledger.token(4)]))
        );
        assert_eq!(result.unwrap_err().message(), "with 1 values");
        let ends: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
        for error in ends.into_iter().filter_map(Result::err) {
            assert!(poisoned_by_panic(&error.termination).is_some());
        }
        ledger.balance();
    }

    fn a_panic_in_an_extended_rendezvous_releases_the_writer(backend) {
        let ledger = Ledger::new(2);
        let values = Channel::new();
        let writer =
            spawn(backend.place(writes_two(ledger.token(0), ledger.token(1), values.writer())));
        let result = try_parallel!(backend.place(crashes_in_extended_rendezvous(values.reader())));
        assert_eq!(result.unwrap_err().message(), "holding value 0");
        let (first, second) = writer.join();
        assert!(first, "a committed communication is never revoked");
        let (_, message) = poisoned_by_panic(&second.expect("no reader is left")).expect("a panic");
        assert_eq!(message, "holding value 0");
        ledger.balance();
    }

    fn an_operation_never_blocks_while_its_process_panics(backend) {
        let (out, back) = (Channel::new(), Channel::new());
        // The other side of both channels is held here, and never used.
        let (_reader, _writer) = (out.reader(), back.writer());
        let said = Arc::new(Mutex::new(Vec::new()));
        let words = LastWords { output: out.writer(), input: back.reader(), said: said.clone() };
        let failure = try_parallel!(backend.place(crashes_talking(words))).unwrap_err();
        assert_eq!(failure.message(), "goodbye");
        assert_eq!(*said.lock().unwrap(), ["not written", "not read"]);
    }

    fn a_join_never_blocks_while_its_process_panics(backend) {
        let go = Channel::new();
        let other = spawn(backend.place(crate::processes::hold(0, go.reader())));
        // If the join waited, this would release it, so that the law fails and does not hang.
        let (over, ended) = std::sync::mpsc::channel::<()>();
        let writer = go.writer();
        let release = std::thread::spawn(move || {
            let _ = ended.recv_timeout(csp_tests::limit() / 2);
            drop(writer);
        });
        let joined = Arc::new(Mutex::new(Vec::new()));
        let wait = LastWait(Some(other), joined.clone());
        let failure = try_parallel!(backend.place(crashes_waiting(wait))).unwrap_err();
        assert_eq!(failure.message(), "goodbye");
        assert_eq!(*joined.lock().unwrap(), [false]);
        drop(over);
        release.join().unwrap();
    }

    fn a_shutdown_never_blocks_while_its_process_panics(backend) {
        let children = backend.clone();
        let failure = try_parallel!(backend.place(in_place!(move || {
            let go = Channel::new();
            let _late = ShutsDown { _go: go.writer() };
            drop(spawn(children.place(crate::processes::hold(0, go.reader()))));
            panic!("goodbye");
        })));
        assert_eq!(failure.unwrap_err().message(), "goodbye");
    }

    fn a_panic_that_is_caught_is_nobodys_business(backend) {
        let (numbers, doubled) = (Channel::new(), Channel::new());
        let (_, end, read) = parallel!(
            backend.place(crate::processes::source((0..6).collect(), numbers.writer())),
            backend.place(catches_its_own(numbers.reader(), doubled.writer())),
            backend.place(sink(doubled.reader())),
        );
        assert_eq!(end, Ok(9));
        assert_eq!(read, [0, 0, 4, 0, 8, 0]);
    }

    fn a_panicking_plain_thread_poisons_what_it_held(backend) {
        let values = Channel::<u32>::new();
        let (writer, reader) = (values.writer(), values.reader());
        let thread = std::thread::spawn(move || {
            let _writer = writer;
            panic!("an ordinary thread");
        });
        let read = spawn(backend.place(crate::processes::read_once(reader, Arrival::new()))).join();
        assert!(poisoned_by_panic(&read.unwrap_err()).is_some());
        assert!(thread.join().is_err());
    }

    fn a_panic_of_the_caller_poisons_what_it_held(backend) {
        let values = Channel::<u32>::new();
        let writer = values.writer();
        let read =
            spawn(backend.place(crate::processes::read_once(values.reader(), Arrival::new())));
        let panic = catch_unwind(AssertUnwindSafe(move || {
            let _writer = writer;
            panic!("the caller");
        }));
        assert!(panic.is_err());
        assert!(poisoned_by_panic(&read.join().unwrap_err()).is_some());
    }

    fn a_process_beside_a_panicking_one_is_not_panicking(backend) {
        // If they are coroutines, one thread runs them all. The panic of one must not make ends
        // of another poison.
        for _ in 0..20 {
            let (values, unrelated) = (Channel::new(), Channel::new());
            let ledger = Ledger::new(1);
            let crashed =
                spawn(backend.place(crashes_with_values(values.reader(), vec![ledger.token(0)])));
            let source = spawn(
                backend.place(crate::processes::source((0..50).collect(), unrelated.writer())),
            );
            let sink = spawn(backend.place(sink(unrelated.reader())));
            values.writer().retire();
            assert!(crashed.try_join().is_err());
            assert_eq!(source.join(), Ok(()));
            assert_eq!(sink.join(), (0..50).collect::<Vec<u32>>());
            assert_eq!(unrelated.reader().termination(), Some(Termination::Retired));
            ledger.balance();
        }
    }

    fn a_destructor_that_unwinds_is_refused_a_network(backend) {
        struct RunsLate(Sender<Failure>, Option<Process<Erased<()>, ()>>);
        impl Drop for RunsLate {
            fn drop(&mut self) {
                let process = self.1.take().unwrap();
                self.0.send(try_parallel!(process).unwrap_err()).unwrap();
            }
        }
        let (failures, failed) = channel();
        let values = Channel::new();
        let (reader, late) = (values.reader(), leaves(values.writer()));
        drop(values);
        let panic = catch_unwind(AssertUnwindSafe(move || {
            let _late = RunsLate(failures, Some(backend.place(late).erased()));
            panic!("the caller");
        }));
        assert!(panic.is_err());
        assert_eq!(failed.recv().unwrap().message(), "the caller");
        // A process that panics dropped the process that would have run.
        assert!(poisoned_by_panic(&reader.read().unwrap_err()).is_some());
    }
}

#[process]
fn leaves(_ends: Writer<u32>) {
    unreachable!("it is not run");
}
