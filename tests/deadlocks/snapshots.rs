//! `csp::network()`: the snapshot of a live network.

use super::{Case, clean_once};

use csp::report::{Operation, ProcessState, State};
use csp::{Backend, Barrier, Channel, Reader, Writer, parallel, process, spawn};
use csp_tests::Placement;
use std::sync::mpsc;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    clean_once("a_snapshot_shows_who_waits_where", a_snapshot_shows_who_waits_where),
    clean_once("a_busy_thread_is_named", a_busy_thread_is_named),
    clean_once("who_was_joined_is_not_seen", who_was_joined_is_not_seen),
];

#[process]
fn reads(input: Reader<u32>) -> csp::Result<u32> {
    input.read()
}

#[process]
fn chooses(a: Reader<u32>, b: Reader<String>) {
    let mut choice = csp::Alternation::new();
    choice.read(&a, |_| ());
    choice.read(&b, |_| ());
    choice.after(Duration::from_secs(1000), || ());
    let _ = choice.choose();
}

#[process]
fn meets(barrier: Barrier) {
    barrier.sync();
}

#[process]
fn asks(parent: String, answer: Writer<String>) -> csp::Result {
    loop {
        let seen = csp::network().to_string();
        if seen.contains(&format!("{parent}: blocked at")) {
            return Ok(answer.write(seen)?);
        }
    }
}

/// Returns the snapshot once it shows `count` blocked processes of this test.
fn network_of_blocked(count: usize) -> csp::Network {
    let mine = format!("{}/", csp::current().path());
    loop {
        csp::sleep(Duration::from_millis(1));
        let network = csp::network();
        let blocked = |process: &&ProcessState| matches!(process.state(), State::Blocked(_));
        let processes = network.processes().iter().filter(|p| p.path().starts_with(&mine));
        if processes.filter(blocked).count() == count {
            return network;
        }
    }
}

fn a_snapshot_shows_who_waits_where(backend: &Placement) {
    let (a, b, answer) = (Channel::new().named("a"), Channel::new(), Channel::new());
    let barrier = Barrier::new();
    let (to_a, to_b, answers) = (a.writer(), b.writer(), answer.reader());
    let processes = (
        spawn(backend.place(reads(a.reader()))),
        spawn(backend.place(chooses(a.reader(), b.reader()))),
        spawn(backend.replicas(2, meets(barrier.clone()))),
        spawn(reads(a.reader()).named("thread").on(Backend::Thread)),
    );
    let network = network_of_blocked(5);
    let asker = spawn(backend.place(asks(csp::current().path().to_owned(), answer.writer())));
    let seen_from_inside = answers.read().unwrap();

    let find = |name: &str| {
        network.processes().iter().find(|process| process.path().ends_with(name)).unwrap()
    };
    let wait = |name: &str| match find(name).state() {
        State::Blocked(wait) => wait,
        other => panic!("{name} is {other:?}"),
    };
    for name in ["/reads", "/thread"] {
        let [want] = wait(name).wants() else { panic!("a read waits for one thing") };
        assert_eq!((want.operation(), want.name()), (Operation::Read, Some("a")));
        assert_eq!(want.kind(), Some("Channel<u32>"));
        assert!(wait(name).place().file().ends_with("snapshots.rs"));
    }
    let choice = wait("/chooses");
    assert!(choice.is_alternation() && choice.left().unwrap() > Duration::from_secs(900));
    let operations: Vec<_> = choice.wants().iter().map(csp::report::Wanted::operation).collect();
    assert_eq!(operations, [Operation::Read, Operation::Read, Operation::Timeout]);
    for name in ["/meets[0]", "/meets[1]"] {
        assert_eq!(wait(name).wants()[0].operation(), Operation::Sync);
    }

    let me = csp::current().path().to_owned();
    assert!(seen_from_inside.contains(&format!("{me}/asks: running")), "{seen_from_inside}");
    assert!(network.dot().contains("label=\"reads\""));
    assert!(network.mermaid().starts_with("flowchart LR"));

    barrier.resign();
    drop((to_a, to_b, asker, processes));
    csp::shutdown();
}

/// Keeps its thread busy, which does not stop other threads from asking for a snapshot.
fn a_busy_thread_is_named(backend: &Placement) {
    let (busy, done) = (mpsc::channel(), mpsc::channel::<()>());
    let keeps = backend.place(keeps_busy(busy.0, done.1));
    let thread = std::thread::spawn(move || {
        let keeps = spawn(keeps);
        keeps.join();
    });
    let path: String = busy.1.recv().unwrap();
    let network = csp::network();
    let seen = network.processes().iter().find(|process| process.path() == path).unwrap();
    assert!(matches!(seen.state(), State::Running), "{network}");
    done.0.send(()).unwrap();
    thread.join().unwrap();
}

#[process]
fn keeps_busy(busy: mpsc::Sender<String>, done: mpsc::Receiver<()>) {
    busy.send(csp::current().path().to_owned()).unwrap();
    done.recv().unwrap();
}

/// Checks that a joined process is not shown, even if its thread ends slowly.
fn who_was_joined_is_not_seen(backend: &Placement) {
    let is_seen = || {
        let network = csp::network();
        let mut paths = network.processes().iter().map(ProcessState::path);
        paths.any(|path| path.contains("/ends_at_once"))
    };
    for _ in 0..200 {
        spawn(backend.place(ends_at_once())).join();
        assert!(!is_seen());
        parallel!(backend.replicas(3, ends_at_once()));
        assert!(!is_seen());
    }
}

#[process]
fn ends_at_once() {}
