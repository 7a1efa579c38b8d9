//! A value that can't be cloned or dropped, or a process that can't be started, is the failure of one process. It is
//! reported as such, and has no other effect.

use crate::processes::{read_once, sink, source};
use csp::{Channel, Writer, parallel, spawn, try_parallel};
use csp_tests::{Arrival, Ledger, Token, laws, panic_of, poisoned_by_panic, process};
use serde::{Deserialize, Serialize};
use std::panic::{panic_any, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[process]
fn gives<T: Send + 'static>(value: T) -> T {
    value
}

#[process]
fn crashes() {
    panic!("crashed");
}

/// Can be cloned a limited number of times.
struct Clones {
    left: Arc<AtomicUsize>,
    _end: Writer<u32>,
}

impl Clone for Clones {
    fn clone(&self) -> Self {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(left, 0, "no more clones");
        Self { left: self.left.clone(), _end: self._end.clone() }
    }
}

#[process]
fn keeps(_clones: Clones) {}

/// Panics when it is dropped. The token inside is dropped all the same.
#[derive(Serialize, Deserialize)]
struct Grenade(#[allow(dead_code, reason = "held for its drop")] Token);

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

#[process]
fn drops<T: Send + 'static>(value: T) {
    drop(value);
}

#[process]
fn raises_again(output: Writer<u32>) {
    let _held = output;
    resume_unwind(Box::new("raised again"));
}

struct Payload(#[allow(dead_code, reason = "held for its drop")] Grenade);

#[process]
fn panics_with(payload: Grenade) {
    panic_any(Payload(payload));
}

/// Checks that processes and channels still work.
fn all_is_well(backend: &csp_tests::Placement) {
    let values = Channel::new();
    let (end, read) = parallel!(
        backend.place(source(vec![1, 2, 3], values.writer())),
        backend.place(sink(values.reader())),
    );
    assert_eq!((end, read), (Ok(()), vec![1, 2, 3]));
    csp::shutdown();
}

laws! {
    here: "it counts what one OS process clones, drops and starts: see `subprocess::failures`";

    fn a_clone_that_panics_is_the_failure_of_a_replica(backend) {
        let values = Channel::new();
        let clones = Clones { left: Arc::new(AtomicUsize::new(2)), _end: values.writer() };
        let result =
            try_parallel!(5 * backend.place(keeps(clones)), backend.place(sink(values.reader())),);
        assert!(result.unwrap_err().message().contains("no more clones"));
        all_is_well(backend);
    }

    fn a_clone_that_panics_before_the_start_starts_nothing(backend) {
        let values = Channel::new();
        let reader = values.reader();
        let clones = Clones { left: Arc::new(AtomicUsize::new(2)), _end: values.writer() };
        let text = panic_of(|| spawn(5 * backend.place(keeps(clones))));
        assert!(text.contains("no more clones"));
        assert!(reader.read().is_err(), "no writer is left");
        all_is_well(backend);
    }

    fn an_argument_whose_drop_panics_is_the_failure_of_its_process(backend) {
        let ledger = Ledger::new(1);
        let failure = try_parallel!(backend.place(drops(Grenade(ledger.token(0))))).unwrap_err();
        assert_eq!(failure.message(), "dropped");
        ledger.balance();
        all_is_well(backend);
    }

    fn a_result_whose_drop_panics_harms_nobody(backend) {
        let ledger = Ledger::new(1);
        let spawned = spawn(backend.place(gives(Grenade(ledger.token(0)))));
        // The handle goes before or after the process ends, so the process drops the result, or this line does.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(spawned)));
        let _ = std::panic::catch_unwind(csp::shutdown);
        while ledger.dropped() == 0 {
            csp_tests::settle();
        }
        all_is_well(backend);
        ledger.balance();
    }

    fn a_payload_whose_drop_panics_harms_nobody(backend) {
        let ledger = Ledger::new(1);
        let failure = try_parallel!(backend.place(panics_with(Grenade(ledger.token(0)))));
        assert!(failure.unwrap_err().process().ends_with("/panics_with"));
        ledger.balance();
        all_is_well(backend);
    }

    fn a_buffered_value_whose_drop_panics_holds_nobody_up(backend) {
        let ledger = Ledger::new(2);
        let values = Channel::buffered(2);
        let written = vec![Grenade(ledger.token(0)), Grenade(ledger.token(1))];
        let (reader, writer) = (values.reader(), values.writer());
        spawn(backend.place(source(written, values.writer()))).join().unwrap();
        let poison = std::panic::AssertUnwindSafe(|| writer.poison("boom"));
        assert!(std::panic::catch_unwind(poison).is_err(), "whose drop it is gets the panic");
        let read = spawn(backend.place(read_once(reader, Arrival::new()))).join();
        assert!(read.is_err());
        std::mem::forget(read);
        ledger.balance();
        all_is_well(backend);
    }

    fn a_panic_raised_again_says_its_own_message(backend) {
        assert!(try_parallel!(backend.place(crashes())).is_err());
        let values = Channel::<u32>::new();
        let reader = values.reader();
        let failure = try_parallel!(backend.place(raises_again(values.writer()))).unwrap_err();
        assert_eq!(failure.message(), "raised again");
        let (_, message) = poisoned_by_panic(&reader.read().unwrap_err()).expect("a panic");
        assert_ne!(message, "crashed", "that was another one");
    }

    fn a_failure_leaves_no_results_behind(backend) {
        for _ in 0..50 {
            let ledger = Ledger::new(4);
            let giving: Vec<_> = (0..4).map(|id| backend.place(gives(ledger.token(id)))).collect();
            assert!(try_parallel!(giving, backend.place(crashes())).is_err());
            ledger.balance();
        }
    }

    fn a_process_that_no_stack_is_had_for_is_a_failure(backend, async: "a future has no stack") {
        let values = Channel::new();
        let failure = try_parallel!(
            backend.place(source(vec![1], values.writer()).stack(1 << 46)),
            backend.place(sink(values.reader())),
        )
        .unwrap_err();
        assert!(failure.process().ends_with("/source"), "{failure:#}");
        assert!(format!("{failure:#}").contains("could not be started"), "{failure:#}");
        let alive = failure.message().rsplit("; ").next().unwrap_or_default();
        assert!(alive.contains(" are alive: "), "who is: {failure:#}");
        all_is_well(backend);
    }

    fn a_stack_is_never_too_small_to_start(backend) {
        assert_eq!(parallel!(backend.place(gives(1_u8).stack(0))), (1,));
        assert_eq!(parallel!(backend.place(gives(1_u8).stack(1))), (1,));
    }

    fn any_text_is_a_name(backend) {
        for name in ["", "with spaces", "ende[3]", "nul\0nul", "naïve/😀"] {
            assert_eq!(parallel!(backend.place(gives(1_u8).named(name))), (1,));
            let failure = try_parallel!(backend.place(crashes().named(name))).unwrap_err();
            assert!(failure.process().ends_with(name), "{failure:#}");
        }
        all_is_well(backend);
    }
}
