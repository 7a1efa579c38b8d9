//! A panic ends the network and reaches the caller, with a name. It never vanishes and never hangs.

use crate::processes::{relay, sink, source};
use csp::{
    Channel, Erased, Process, Reader, Sequence, Termination, Writer, parallel, sequence, spawn,
    try_parallel, try_sequence,
};
use csp_tests::{laws, panic_of, poisoned_by_panic, process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[process]
fn crashes(_ends: Vec<Writer<u32>>) {
    panic!("out of cheese");
}

#[process]
fn crashes_at(at: u32, input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    loop {
        let value = input.read()?;
        assert_ne!(value, at, "this value is poison");
        output.write(value)?;
    }
}

#[process(on_panic = retire)]
fn frail(at: u32, input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    loop {
        let value = input.read()?;
        assert_ne!(value, at, "frail");
        output.write(value)?;
    }
}

/// Ends late: only after `go` has ended.
#[process]
fn lingers(go: Reader<u32>, ended: Arc<AtomicUsize>) {
    let _ = go.read();
    for _ in 0..3 {
        csp_tests::settle();
    }
    ended.fetch_add(1, Ordering::SeqCst);
}

#[process]
fn starts(inner: Process<Erased<()>, ()>) {
    parallel!(inner);
}

#[process]
fn leaves_behind(inner: Process<Erased<()>, ()>) -> u32 {
    let _ = spawn(inner);
    7
}

#[process]
fn says(what: u8) {
    match what {
        0 => panic!("a literal"),
        1 => panic!("a {} string", "formatted"),
        2 => std::panic::panic_any(42_u32),
        3 => std::panic::panic_any(String::from("a string by itself")),
        _ => assert_eq!(Some(1), None, "an assertion"),
    }
}

#[process]
fn sets(flag: Arc<AtomicBool>) {
    flag.store(true, Ordering::SeqCst);
}

/// Panics when it is dropped. Its payload is one of these that panics one time less.
#[derive(Clone, Debug)]
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Self(self.0 - 1));
        }
    }
}

#[process]
fn explodes(times: u32) {
    std::panic::panic_any(Bomb(times));
}

#[process]
fn returns(bomb: Bomb) -> Bomb {
    bomb
}

#[process]
fn keeps(_bomb: Bomb) {}

#[process]
fn holds(_bomb: Bomb, _ends: Vec<Writer<Bomb>>) {
    panic!("with a bomb in its hands");
}

#[process]
fn fills(output: Writer<Bomb>, bombs: Vec<Bomb>) -> csp::Result {
    for bomb in bombs {
        output
            .write(bomb)
            .map_err(|refused| std::mem::forget(refused.into_inner()))
            .expect("there is room");
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("{}/{name}", csp::current().path())
}

laws! {
    here: "it looks at what one OS process has caught: see `subprocess::failures`";

    fn a_panic_reaches_the_caller_named(backend) {
        let text = panic_of(|| parallel!(backend.place(crashes(vec![]))));
        assert!(text.contains(&path("crashes")) && text.contains("out of cheese"), "{text}");
    }

    fn a_panic_of_a_replica_is_named_with_its_number(backend) {
        let (values, results) = (Channel::new(), Channel::new());
        let workers = backend.replicas(4, crashes_at(5, values.reader(), results.writer()));
        let failure = try_parallel!(
            workers,
            backend.place(sink(results.reader())),
            backend.place(source((0..10).collect(), values.writer())),
        )
        .unwrap_err();
        let named =
            (0..4).any(|number| failure.process() == path(&format!("crashes_at[{number}]")));
        assert!(named, "{failure:#}");
    }

    fn a_panic_is_raised_after_all_others_have_ended(backend) {
        for _ in 0..20 {
            let go = Channel::new();
            let ended = Arc::new(AtomicUsize::new(0));
            let lingering = backend.replicas(5, lingers(go.reader(), ended.clone()));
            let failure =
                try_parallel!(backend.place(crashes(vec![go.writer()])), lingering).unwrap_err();
            assert_eq!(ended.load(Ordering::SeqCst), 5);
            assert_eq!(failure.message(), "out of cheese");

            let go = Channel::new();
            let lingering = backend.replicas(5, lingers(go.reader(), ended.clone()));
            panic_of(|| parallel!(lingering, backend.place(crashes(vec![go.writer()]))));
            assert_eq!(ended.load(Ordering::SeqCst), 10);
        }
    }

    fn a_panic_poisons_the_ends_it_held_and_says_who_and_what(backend) {
        let (first, second) = (Channel::new(), Channel::new());
        let process = backend.place(crashes(vec![first.writer(), second.writer()]));
        let crashed = spawn(process);
        for reader in [first.reader(), second.reader()] {
            let (who, what) = poisoned_by_panic(&reader.read().unwrap_err()).expect("a panic");
            assert_eq!(who, path("crashes"));
            assert_eq!(what, "out of cheese");
        }
        assert!(crashed.try_join().is_err());
    }

    fn a_panic_travels_through_the_network_as_poison(backend) {
        let links = 4 * Channel::new();
        let result = links[3].reader();
        let failure = try_parallel!(
            backend.place(source((0..1_000_000).collect(), links[0].writer())),
            backend.place(relay(links[0].reader(), links[1].writer())),
            backend.place(crashes_at(30, links[1].reader(), links[2].writer())),
            backend.place(relay(links[2].reader(), links[3].writer())),
            backend.place(sink(links[3].reader())),
        )
        .unwrap_err();
        assert_eq!(failure.process(), path("crashes_at"));
        assert!(failure.message().contains("this value is poison"));
        assert!(failure.place().is_some_and(|place| format!("{place:?}").contains("panics.rs")));
        assert!(format!("{failure:#}").contains("crashes_at"));
        let (who, _) = poisoned_by_panic(&result.read().unwrap_err()).expect("a panic");
        assert_eq!(who, path("crashes_at"));
    }

    fn a_payload_that_panics_when_it_is_dropped_is_reported_once(backend) {
        for times in [0, 1, 3, 150] {
            let failure = try_parallel!(backend.place(explodes(times))).unwrap_err();
            assert_eq!((failure.process(), failure.message()), (&*path("explodes"), "a value that is not text"));
            drop(spawn(backend.place(explodes(times))));
            panic_of(csp::shutdown);
            csp::shutdown();
        }
    }

    fn what_the_library_drops_for_its_user_panics_no_further(backend) {
        for times in [1, 3] {
            // The dropped value is a result. No process asks for it, because another has failed.
            let both = (backend.place(returns(Bomb(times))), backend.place(crashes(vec![])));
            let failure = try_parallel!(both).unwrap_err();
            assert_eq!(failure.process(), path("crashes"));
            let many = backend.replicas(3, returns(Bomb(0)));
            let bombs = vec![backend.place(returns(Bomb(times))), backend.place(returns(Bomb(times)))];
            let failure = try_parallel!(many, bombs, backend.place(crashes(vec![]))).unwrap_err();
            assert_eq!(failure.process(), path("crashes"));
            // The dropped value is the result of a process that is not joined.
            drop(spawn(backend.place(returns(Bomb(times)))));
            csp::shutdown();
            let spawned = spawn(backend.place(returns(Bomb(times))));
            while !spawned.has_ended() {
                csp_tests::settle();
            }
            drop(spawned);
            // The dropped values are arguments of processes that never run, and results of processes that have run.
            let failure = try_sequence!(
                backend.place(returns(Bomb(times))),
                backend.place(crashes(vec![])),
                backend.place(keeps(Bomb(times))),
            )
            .unwrap_err();
            assert_eq!(failure.process(), path("crashes"));
            let rest = vec![backend.place(keeps(Bomb(times))), backend.place(keeps(Bomb(times)))];
            assert!(try_sequence!(backend.place(crashes(vec![])), rest).is_err());
            // The values are in a buffer that is not read. The process that ends the channel gets the first panic, after all drops.
            let bombs = || vec![Bomb(times), Bomb(times)];
            for poisons in [false, true] {
                let values = Channel::buffered(4);
                let input = values.reader();
                spawn(backend.place(fills(values.writer(), bombs()))).join().unwrap();
                let ends = move || if poisons { input.poison("enough") } else { input.retire() };
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ends)).unwrap_err();
                assert_eq!(caught.downcast_ref::<Bomb>().map(|bomb| bomb.0), Some(times - 1));
                std::mem::forget(caught);
            }
            let values = Channel::buffered(4);
            let (input, output) = (values.reader(), values.writer());
            drop(values);
            spawn(backend.place(fills(output.clone(), bombs()))).join().unwrap();
            let failure = try_parallel!(backend.place(holds(Bomb(0), vec![output]))).unwrap_err();
            assert_eq!(failure.message(), "with a bomb in its hands");
            assert!(poisoned_by_panic(&input.termination().unwrap()).is_some());
        }
    }

    fn any_payload_is_reported(backend) {
        let messages: Vec<String> = (0..5)
            .map(|what| try_parallel!(backend.place(says(what))).unwrap_err())
            .inspect(|failure| assert_eq!(failure.process(), path("says")))
            .map(|failure| failure.message().to_string())
            .collect();
        assert_eq!(messages[0], "a literal");
        assert_eq!(messages[1], "a formatted string");
        assert!(!messages[2].is_empty());
        assert_eq!(messages[3], "a string by itself");
        assert!(messages[4].contains("an assertion"));
        for what in 0..5 {
            let text = panic_of(|| parallel!(backend.place(says(what))));
            assert!(text.contains(&path("says")), "{text}");
        }
    }

    fn join_raises_the_panic_and_try_join_returns_it(backend) {
        let crashed = spawn(backend.place(crashes(vec![])));
        let text = panic_of(|| crashed.join());
        assert!(text.contains(&path("crashes")), "{text}");
        let failure = spawn(backend.place(crashes(vec![]))).try_join().unwrap_err();
        assert_eq!(failure.process(), path("crashes"));
        assert_eq!(failure.message(), "out of cheese");
        let error: Box<dyn std::error::Error> = Box::new(failure);
        assert!(error.source().expect("a cause").to_string().contains("out of cheese"));
    }

    fn a_panic_in_a_nested_network_reaches_the_outermost_caller(backend) {
        let leaf = backend.place(crashes(vec![])).erased();
        let inner = backend.place(starts(leaf)).erased();
        let text = panic_of(|| parallel!(backend.place(starts(inner))));
        assert!(text.contains("out of cheese"), "{text}");
        assert!(text.contains(&path("starts/starts/crashes")), "{text}");
    }

    fn a_panic_of_a_child_left_behind_is_its_parents(backend) {
        let process = leaves_behind(backend.place(crashes(vec![])).erased());
        let failure = try_parallel!(backend.place(process)).unwrap_err();
        assert!(format!("{failure:#}").contains("out of cheese"), "{failure:#}");
        assert!(format!("{failure:#}").contains(&path("leaves_behind/crashes")), "{failure:#}");
    }

    fn a_panic_left_to_shutdown_is_raised_there(backend) {
        let _ = spawn(backend.place(crashes(vec![])));
        let text = panic_of(csp::shutdown);
        assert!(text.contains("out of cheese"), "{text}");
    }

    fn a_crashed_process_that_retires_only_leaves(backend) {
        let (jobs, results) = (Channel::new(), Channel::new());
        let workers: Vec<_> = backend.replicas(3, frail(7, jobs.reader(), results.writer()));
        let workers = spawn(workers);
        let (end, mut read) = parallel!(
            backend.place(source((0..20).collect(), jobs.writer())),
            backend.place(sink(results.reader())),
        );
        assert_eq!(end, Ok(()));
        read.sort_unstable();
        assert_eq!(read, (0..20).filter(|value| *value != 7).collect::<Vec<u32>>());
        let failed: Vec<_> =
            workers.into_iter().filter_map(|worker| worker.try_join().err()).collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].message().contains("frail"));
    }

    fn a_crash_that_retires_is_still_seen_by_the_caller(backend) {
        let (jobs, results) = (Channel::new(), Channel::new());
        let workers = backend.replicas(2, frail(7, jobs.reader(), results.writer()));
        let last = results.reader();
        let failure = try_parallel!(
            workers,
            backend.place(source((0..20).collect(), jobs.writer())),
            backend.place(sink(results.reader())),
        )
        .unwrap_err();
        assert!(failure.process().contains("frail["), "{failure:#}");
        assert_eq!(last.read(), Err(Termination::Retired), "not poisoned");
    }

    fn a_sequence_raises_what_happened_in_it(backend) {
        let text = panic_of(|| sequence!(backend.place(says(0)), backend.place(says(1))));
        assert!(text.contains(&path("says")) && text.contains("a literal"), "the first: {text}");
        let failure = try_sequence!(backend.place(crashes(vec![]))).unwrap_err();
        assert_eq!(failure.message(), "out of cheese");
        let failure = Sequence::new().with(backend.place(says(0))).try_run().unwrap_err();
        assert_eq!(failure.message(), "a literal");
    }

    fn every_process_may_panic_at_once(backend) {
        for _ in 0..10 {
            let values = Channel::new();
            let crashing = backend.replicas(10, crashes(vec![values.writer()]));
            let failure =
                try_parallel!(crashing, backend.place(sink(values.reader()))).unwrap_err();
            assert!(failure.process().contains("crashes["), "{failure:#}");
        }
    }

    fn the_world_goes_on_after_a_panic(backend) {
        assert!(try_parallel!(backend.place(crashes(vec![]))).is_err());
        let flag = Arc::new(AtomicBool::new(false));
        let values = Channel::new();
        let (end, read, ()) = parallel!(
            backend.place(source(vec![1, 2, 3], values.writer())),
            backend.place(sink(values.reader())),
            backend.place(sets(flag.clone())),
        );
        assert_eq!((end, read), (Ok(()), vec![1, 2, 3]));
        assert!(flag.load(Ordering::SeqCst));
    }
}
