//! Spawned processes belong to their parent: a process ends after all processes it spawned.

use crate::processes::{relay, sink, source};
use csp::{Channel, Reader, Writer, parallel, spawn};
use csp_tests::{Placement, laws, process};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

type Ended = Arc<AtomicUsize>;

#[process]
fn child(go: Reader<()>, ended: Ended) {
    let _ = go.read();
    for _ in 0..3 {
        csp_tests::settle();
    }
    ended.fetch_add(1, Ordering::SeqCst);
}

#[process]
fn parent(go: Reader<()>, ended: Ended, backend: Placement) -> &'static str {
    for _ in 0..5 {
        drop(spawn(backend.place(child(go.clone(), ended.clone()))));
    }
    "parent"
}

#[process]
fn ancestor(depth: usize, go: Reader<()>, ended: Ended, backend: Placement) {
    if depth == 0 {
        drop(spawn(backend.place(child(go, ended))));
    } else {
        drop(spawn(backend.place(ancestor(depth - 1, go, ended, backend.clone()))));
    }
}

/// Spawns a child that reads until this process's only writer has gone.
#[process]
fn child_of_its_end(backend: Placement) -> usize {
    let values = Channel::new();
    let writer = values.writer();
    drop(spawn(backend.place(sink(values.reader()))));
    for value in 0..10 {
        writer.write(value).expect("the child reads");
    }
    10
}

#[process]
fn releases(count: usize, go: Writer<()>) -> csp::Result {
    for _ in 0..count {
        go.write(())?;
    }
    Ok(())
}

#[process]
fn counts(runs: Ended) -> usize {
    runs.fetch_add(1, Ordering::SeqCst)
}

#[process]
fn gives<T: Send + 'static>(value: T) -> T {
    value
}

#[process]
fn shuts_down(go: Reader<()>, ended: Ended, backend: Placement) -> usize {
    for _ in 0..3 {
        drop(spawn(backend.place(child(go.clone(), ended.clone()))));
    }
    csp::shutdown();
    ended.load(Ordering::SeqCst)
}

#[process(daemon)]
fn strays(input: Reader<()>, seen: Arc<Mutex<Vec<ThreadId>>>) {
    seen.lock().unwrap().push(std::thread::current().id());
    let _ = input.read();
    seen.lock().unwrap().push(std::thread::current().id());
}

#[process(daemon)]
fn waits_for_ever(input: Reader<()>) {
    let _ = input.read();
}

#[process]
fn leaves_a_daemon(input: Reader<()>, backend: Placement) -> u32 {
    drop(spawn(backend.place(waits_for_ever(input.clone()))));
    drop(spawn(backend.place(crate::processes::hold(0, input)).daemon()));
    3
}

/// Asks for a number each time it is cloned.
struct Asks {
    answers: Reader<u32>,
    answer: u32,
}

impl Clone for Asks {
    fn clone(&self) -> Self {
        Self { answers: self.answers.clone(), answer: self.answers.read().unwrap() }
    }
}

#[process]
fn tells(asks: Asks) -> u32 {
    asks.answer
}

struct FailsOnce(Ended);

impl Clone for FailsOnce {
    fn clone(&self) -> Self {
        if self.0.fetch_add(1, Ordering::SeqCst) == 1 {
            panic!("the second clone");
        }
        Self(self.0.clone())
    }
}

#[process]
fn counts_clones(_clones: FailsOnce) {}

laws! {
    here: "it asks through shared memory which process has run: see `subprocess::results`";

    fn a_process_ends_after_what_it_spawned(backend) {
        for _ in 0..10 {
            let (go, ended) = (Channel::new(), Ended::default());
            let (result, released) = parallel!(
                backend.place(parent(go.reader(), ended.clone(), backend.clone())),
                backend.place(releases(5, go.writer())),
            );
            assert_eq!((result, released), ("parent", Ok(())));
            assert_eq!(ended.load(Ordering::SeqCst), 5);
        }
    }

    fn a_process_ends_after_what_its_children_spawned(backend) {
        let (go, ended) = (Channel::new(), Ended::default());
        let ancestor =
            spawn(backend.place(ancestor(6, go.reader(), ended.clone(), backend.clone())));
        go.writer().write(()).unwrap();
        ancestor.join();
        assert_eq!(ended.load(Ordering::SeqCst), 1);
    }

    fn a_process_retires_its_ends_before_it_waits_for_its_children(backend) {
        let (written,) = parallel!(backend.place(child_of_its_end(backend.clone())));
        assert_eq!(written, 10);
    }

    fn what_is_spawned_runs_beside_its_parent(backend) {
        let (there, back) = (Channel::new(), Channel::new());
        let echo = spawn(backend.place(relay(there.reader(), back.writer())));
        let (writer, reader) = (there.writer(), back.reader());
        for number in 0..10 {
            writer.write(number).unwrap();
            assert_eq!(reader.read(), Ok(number));
        }
        drop(writer);
        assert!(echo.join().is_err());
    }

    fn join_gives_the_result(backend) {
        let values = Channel::new();
        let sink = spawn(backend.place(sink(values.reader())));
        let source = spawn(backend.place(source(vec!['a', 'b'], values.writer())));
        assert_eq!(source.try_join().unwrap(), Ok(()));
        assert_eq!(sink.join(), ['a', 'b']);
    }

    fn a_vec_of_processes_gives_a_vec_of_the_spawned(backend) {
        let runs = Ended::default();
        let spawned = spawn(backend.replicas(4, counts(runs.clone())));
        let again = spawn(3 * backend.place(counts(runs.clone())));
        assert_eq!((spawned.len(), again.len()), (4, 3));
        let mut turns: Vec<_> =
            spawned.into_iter().chain(again).map(|spawned| spawned.join()).collect();
        turns.sort_unstable();
        assert_eq!(turns, (0..7).collect::<Vec<_>>());
    }

    fn what_is_spawned_may_be_joined_elsewhere(backend) {
        let runs = Ended::default();
        let spawned = spawn(backend.place(counts(runs.clone())));
        let (turn,) = parallel!(backend.place(joins(spawned)));
        assert_eq!(turn, 0);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    fn shutdown_waits_for_what_was_spawned(backend) {
        let runs = Ended::default();
        for _ in 0..10 {
            drop(spawn(backend.place(counts(runs.clone()))));
        }
        csp::shutdown();
        assert_eq!(runs.load(Ordering::SeqCst), 10);
        assert_eq!(Arc::strong_count(&runs), 1);
        csp::shutdown();
        drop(spawn(backend.place(counts(runs.clone()))));
        csp::shutdown();
        assert_eq!(runs.load(Ordering::SeqCst), 11, "shutdown is not the end of the world");
    }

    fn a_daemon_does_not_keep_its_parent(backend) {
        let never = Channel::new();
        let writer = never.writer();
        let (result,) = parallel!(backend.place(leaves_a_daemon(never.reader(), backend.clone())));
        assert_eq!(result, 3);
        writer.retire();
    }

    fn a_plain_thread_ends_after_what_it_spawned(backend) {
        for _ in 0..10 {
            let (go, ended) = (Channel::new(), Ended::default());
            let process = backend.place(child(go.reader(), ended.clone()));
            let thread = std::thread::spawn(move || drop(spawn(process)));
            go.writer().write(()).unwrap();
            thread.join().unwrap();
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        }
    }

    fn a_daemon_never_moves_to_another_thread(backend) {
        for _ in 0..5 {
            let (never, seen) = (Channel::new(), Arc::default());
            let writer = never.writer();
            let daemon = backend.place(strays(never.reader(), Arc::clone(&seen)));
            let first = std::thread::spawn(move || {
                drop(spawn(daemon));
                csp_tests::settle();
            });
            first.join().unwrap();
            // The daemon's thread has ended. This thread must not run the processes that it left behind.
            let other = backend.clone();
            let second = std::thread::spawn(move || {
                parallel!(other.place(gives(1)));
                writer.retire();
                for _ in 0..10 {
                    csp_tests::settle();
                    parallel!(other.place(gives(1)));
                }
            });
            second.join().unwrap();
            let seen = seen.lock().unwrap();
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
        }
    }

    fn a_result_that_nobody_asks_for_is_dropped(backend) {
        let values = Channel::<u32>::new();
        let reader = values.reader();
        drop(spawn(backend.place(gives(values.writer()))));
        assert!(reader.read().is_err());
        let values = Channel::<u32>::new();
        let reader = values.reader();
        let spawned = spawn(backend.place(gives(values.writer())));
        while !spawned.has_ended() {
            csp_tests::settle();
        }
        assert_eq!(reader.termination(), None, "it may still be asked for");
        drop(spawned);
        assert!(reader.read().is_err());
    }

    fn a_result_is_as_good_as_any_value(backend) {
        let values = Channel::new();
        let (writer,) = parallel!(backend.place(gives(values.writer())));
        let sink = spawn(backend.place(sink(values.reader())));
        writer.write(4).unwrap();
        let again = spawn(backend.place(gives(writer))).join();
        again.write(5).unwrap();
        again.retire();
        assert_eq!(sink.join(), [4, 5]);
    }

    fn a_process_may_wait_for_what_it_spawned_before_its_end(backend) {
        let (go, ended) = (Channel::new(), Ended::default());
        let (count, released) = parallel!(
            backend.place(shuts_down(go.reader(), ended, backend.clone())),
            backend.place(releases(3, go.writer())),
        );
        assert_eq!((count, released), (3, Ok(())));
    }

    fn a_clone_may_wait_for_another_process(backend, async: "nothing awaits in a clone") {
        let answers = Channel::new();
        let asks = Asks { answers: answers.reader(), answer: 0 };
        let (told, written) = parallel!(
            4 * backend.place(tells(asks)),
            backend.place(source((1..=3).collect(), answers.writer())),
        );
        assert_eq!(written, Ok(()));
        let mut told = told;
        told.sort_unstable();
        assert_eq!(told, [0, 1, 2, 3]);
    }

    fn a_clone_that_panics_takes_only_its_own_process_down(backend) {
        let clones = Ended::default();
        let told = 4 * backend.place(counts_clones(FailsOnce(clones.clone())));
        let failure = csp::try_parallel!(told).unwrap_err();
        assert_eq!(failure.message(), "the second clone");
        assert_eq!(clones.load(Ordering::SeqCst), 3);
    }

    fn many_are_spawned_one_after_another(backend) {
        let runs = Ended::default();
        let count = backend.many(20_000, 500);
        for turn in 0..count {
            assert_eq!(spawn(backend.place(counts(runs.clone()))).join(), turn);
        }
    }
}

#[process]
fn joins(spawned: csp::Spawned<usize>) -> usize {
    spawned.join()
}
