//! Each process has a name and a path by default.

use csp::{Backend, Channel, Writer, parallel, sequence, spawn};
use csp_tests::{Placement, laws, process};

fn here() -> (String, String) {
    let current = csp::current();
    (current.name().to_string(), current.path().to_string())
}

#[process]
fn leaf() -> (String, String) {
    here()
}

#[process(name = "renamed")]
fn other_name() -> (String, String) {
    here()
}

#[process]
fn parent(backend: Placement) -> Vec<(String, String)> {
    let mut names = vec![here()];
    let (one, two) = parallel!(backend.place(leaf()), backend.replicas(2, leaf()));
    names.push(one);
    names.extend(two);
    names.push(spawn(backend.place(leaf())).join());
    names.push(sequence!(backend.place(leaf())).0);
    names.push(here());
    names
}

/// Starts a chain of processes, each the child of the last, and returns the path or the failure of the last one.
#[process]
fn descends(backend: Placement, more: usize, panics: bool) -> String {
    if more > 0 {
        return parallel!(backend.place(descends(backend.clone(), more - 1, panics))).0;
    }
    assert!(!panics, "the last of all");
    let network = csp::network();
    let ours = network.processes().iter().filter(|process| process.path().ends_with("/descends"));
    assert!(ours.into_iter().all(|process| process.path().len() < 200));
    here().1
}

#[process]
fn names_across_a_wait(output: Writer<(String, String)>) -> (String, String) {
    let before = here();
    let _ = output.write(here());
    assert_eq!(before, here());
    before
}

#[cfg(feature = "threads")]
#[process(on = thread)]
fn always_a_thread() -> std::thread::ThreadId {
    std::thread::current().id()
}

#[process]
fn thread_id() -> std::thread::ThreadId {
    std::thread::current().id()
}

#[cfg(feature = "coroutines")]
#[process(on = coroutine)]
fn always_a_coroutine() -> std::thread::ThreadId {
    std::thread::current().id()
}

fn root() -> String {
    csp::current().path().to_string()
}

fn named(name: &str, path: &str) -> (String, String) {
    (name.into(), format!("{}/{path}", root()))
}

laws! {
    here: "a name is a process's own wherever it runs: see `subprocess::names`";

    fn a_process_is_named_after_its_function(backend) {
        assert_eq!(parallel!(backend.place(leaf())).0, named("leaf", "leaf"));
        assert_eq!(spawn(backend.place(leaf())).join(), named("leaf", "leaf"));
        assert_eq!(parallel!(backend.place(other_name())).0, named("renamed", "renamed"));
        assert_eq!(parallel!(backend.place(leaf().named("given"))).0, named("given", "given"));
    }

    fn a_replica_has_its_number(backend) {
        let (many,) = parallel!(3 * backend.place(leaf()));
        let expected: Vec<_> =
            (0..3).map(|i| named(&format!("leaf[{i}]"), &format!("leaf[{i}]"))).collect();
        assert_eq!(many, expected);
        let (many,) = parallel!(backend.replicas(3, leaf()));
        assert_eq!(many, expected);
        let many: Vec<_> =
            spawn(3 * backend.place(leaf())).into_iter().map(|leaf| leaf.join()).collect();
        assert_eq!(many, expected);
        let (many,) = parallel!(backend.replicas(2, leaf().named("given")));
        assert_eq!(many, [named("given[0]", "given[0]"), named("given[1]", "given[1]")]);
    }

    fn a_path_leads_from_the_caller(backend) {
        let (names,) = parallel!(backend.place(parent(backend.clone())));
        let expected = [
            named("parent", "parent"),
            named("leaf", "parent/leaf"),
            named("leaf[0]", "parent/leaf[0]"),
            named("leaf[1]", "parent/leaf[1]"),
            named("leaf", "parent/leaf"),
            named("leaf", "parent/leaf"),
            named("parent", "parent"),
        ];
        assert_eq!(names, expected);
    }

    /// No stack grows with the number of a process's ancestors.
    fn a_path_of_many_is_shortened_in_the_middle(backend) {
        let path = |descendants: usize| {
            let mut names = vec![root(); 1];
            names.extend((0..descendants).map(|_| "descends".to_owned()));
            if names.len() > 12 {
                let more = names.len() - 12;
                names.splice(4..names.len() - 8, [format!("({more} more)")]);
            }
            names.join("/")
        };
        for descendants in [1, 11, 12, 13, 40, backend.many(2_500, 400)] {
            let (last,) = parallel!(backend.place(descends(backend.clone(), descendants - 1, false)));
            assert_eq!(last, path(descendants));
            let last = backend.place(descends(backend.clone(), descendants - 1, true));
            let failure = csp::try_parallel!(last).unwrap_err();
            assert_eq!(failure.process(), path(descendants));
            assert_eq!(failure.message(), "the last of all");
        }
    }

    fn a_process_knows_itself_before_and_after_a_wait(backend) {
        let names = Channel::new();
        let reader = names.reader();
        let processes = spawn(backend.replicas(10, names_across_a_wait(names.writer())));
        let mut told: Vec<_> = reader.iter().collect();
        let mut ended: Vec<_> = processes.into_iter().map(|process| process.join()).collect();
        told.sort();
        ended.sort();
        assert_eq!(told, ended);
        assert_eq!(told.len(), 10);
        told.dedup();
        assert_eq!(told.len(), 10, "ten names");
    }

    fn a_plain_thread_has_a_name_of_its_own(backend) {
        let ours = here();
        let theirs = std::thread::spawn(here).join().unwrap();
        assert!(!theirs.0.is_empty() && !theirs.1.is_empty());
        parallel!(backend.place(leaf()));
        assert_eq!(here(), ours);
    }

    fn a_channel_is_named_or_named_after_its_place(backend) {
        let named = Channel::<u8>::new().named("jobs");
        assert!(format!("{named:?}").contains("jobs"), "{named:?}");
        let unnamed = Channel::<u8>::new();
        assert!(format!("{unnamed:?}").contains("names.rs"), "{unnamed:?}");
        parallel!(backend.place(leaf()));
    }
}

#[cfg(all(feature = "coroutines", feature = "threads"))]
#[test]
fn the_backend_is_an_attribute_or_a_choice_at_run_time() {
    let here = std::thread::current().id();
    let (plain, thread, coroutine, moved, back) = parallel!(
        thread_id(),
        always_a_thread(),
        always_a_coroutine(),
        thread_id().on(Backend::Thread),
        always_a_thread().on(Backend::Coroutine),
    );
    assert_eq!((plain, coroutine, back), (here, here, here));
    assert!(thread != here && moved != here && thread != moved);
}

#[cfg(all(feature = "coroutines", not(feature = "threads")))]
#[test]
fn every_process_is_a_coroutine_where_there_are_only_coroutines() {
    let here = std::thread::current().id();
    let all = parallel!(thread_id(), always_a_coroutine(), thread_id().on(Backend::Coroutine));
    assert_eq!(all, (here, here, here));
}

#[cfg(all(feature = "threads", not(feature = "coroutines")))]
#[test]
fn every_process_is_a_thread_where_there_are_only_threads() {
    let here = std::thread::current().id();
    let (a, b, c) = parallel!(thread_id(), always_a_thread(), thread_id().on(Backend::Thread));
    assert!(a != here && b != here && c != here && a != b && b != c);
}
