//! Children that end in another way than by returning.

use std::process;

use csp::{
    Backend, Failure, Parallel, multiprocess, parallel, sequence, spawn, try_parallel, try_sequence,
};
use csp_tests::panic_of;

use crate::tests;

#[multiprocess]
fn panics(words: String) -> u32 {
    panic!("{words}")
}

#[multiprocess]
fn throws() {
    std::panic::resume_unwind(Box::new(7_u32))
}

#[multiprocess]
fn exits(status: i32) {
    process::exit(status)
}

#[multiprocess]
fn aborts() {
    eprintln!("famous last words");
    process::abort()
}

#[multiprocess]
fn divides(a: u32, b: u32) -> u32 {
    a / b
}

#[multiprocess]
fn has_a_child_that_panics() {
    parallel!(panics("far away".into()));
}

#[multiprocess]
fn does_not_join() {
    drop(spawn(panics("unjoined".into())));
}

#[csp::process]
fn local(n: u32) -> u32 {
    n
}

#[csp::process]
fn runs<F: FnOnce() -> u32 + Send + 'static>(body: F) -> u32 {
    body()
}

#[multiprocess]
fn a_clone(flaky: Flaky) -> u32 {
    flaky.0
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Flaky(u32);

impl Clone for Flaky {
    fn clone(&self) -> Self {
        panic!("not cloned")
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct PanicsWhenDropped(u32);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if self.0 == process::id() {
            panic!("dropped");
        }
    }
}

#[multiprocess]
fn takes(value: PanicsWhenDropped) -> u32 {
    value.0
}

#[multiprocess]
fn gives(parent: u32) -> PanicsWhenDropped {
    let mine = process::id();
    assert_ne!(mine, parent);
    PanicsWhenDropped(mine)
}

fn failure<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Failure {
    outcome.expect_err("it was to fail")
}

tests! {
    fn a_panic_is_told_with_process_message_and_place() {
        let failure = failure(try_parallel!(panics("out of luck".into())));
        assert_eq!(failure.process(), "law/panics");
        assert_eq!(failure.message(), "out of luck");
        let place = failure.place().expect("it is known");
        assert!(place.contains("tests/subprocess/failures.rs:"), "{place}");
    }

    fn a_panic_is_raised_again_by_whoever_waits() {
        let text = panic_of(|| parallel!(divides(1, 0), divides(4, 2)));
        assert!(text.contains("law/divides") && text.contains("divide by zero"), "{text}");
        let text = panic_of(|| sequence!(divides(4, 2), divides(1, 0)));
        assert!(text.contains("divide by zero"), "{text}");
        let text = panic_of(|| spawn(divides(1, 0)).join());
        assert!(text.contains("divide by zero"), "{text}");
        let text = panic_of(|| Parallel::new().with(divides(1, 0)).run());
        assert!(text.contains("divide by zero"), "{text}");
    }

    fn a_panic_that_is_not_text_is_told_too() {
        let failure = failure(try_parallel!(throws()));
        assert_eq!((failure.process(), failure.message()), ("law/throws", "a value that is not text"));
    }

    fn nobody_who_panics_is_forgotten() {
        drop(spawn(panics("unheard".into())));
        assert!(panic_of(csp::shutdown).contains("unheard"));
        let failure = failure(spawn(panics("heard".into())).try_join());
        assert_eq!(failure.message(), "heard");
    }

    fn the_others_end_well() {
        let outcome = try_parallel!(panics("alone".into()), 3 * divides(4, 2));
        assert_eq!(failure(outcome).message(), "alone");
    }

    fn a_panic_keeps_its_path_through_several_os_processes() {
        let failure = failure(try_parallel!(has_a_child_that_panics()));
        assert_eq!(failure.process(), "law/has_a_child_that_panics/panics");
        assert_eq!(failure.message(), "far away");
        let failure = self::failure(try_parallel!(does_not_join()));
        assert_eq!(failure.process(), "law/does_not_join/panics");
    }

    fn an_exit_is_told_with_its_status() {
        for status in [0, 7, 101] {
            let failure = failure(try_parallel!(exits(status)));
            assert_eq!(failure.process(), "law/exits");
            let text = format!("exit status: {status}");
            assert!(failure.message().contains(&text), "{failure:#}");
            assert!(format!("{failure:#}").contains("law/exits") && failure.place().is_none());
        }
    }

    fn an_abort_is_told_with_its_signal_and_the_last_words() {
        let failure = failure(try_parallel!(aborts()));
        assert!(failure.message().contains("signal: 6"), "{failure:#}");
        assert!(failure.message().contains("famous last words"), "{failure:#}");
    }

    fn a_sequence_ends_with_the_first_that_fails() {
        assert!(failure(try_sequence!(exits(3), panics("not reached".into()))).message().contains('3'));
    }

    fn what_can_t_go_there_says_what_to_do() {
        for outcome in [
            try_parallel!(local(1).on(Backend::Subprocess)),
            try_parallel!(local(1).erased().on(Backend::Subprocess)),
            try_parallel!(runs(|| 2).on(Backend::Subprocess)),
        ] {
            let failure = failure(outcome);
            assert!(failure.process().starts_with("law/"), "{failure:#}");
            assert!(failure.message().contains("#[multiprocess]"), "{failure:#}");
        }
        assert_eq!(parallel!(local(1)).0, 1);
    }

    fn a_clone_that_panics_takes_only_its_own_replica_down() {
        let failure = failure(try_parallel!(2 * a_clone(Flaky(3))));
        // The last to start gets the original.
        assert!(failure.process().starts_with("law/a_clone["), "{failure:#}");
        assert_eq!(failure.message(), "not cloned");
        assert_eq!(parallel!(1 * a_clone(Flaky(3))).0, [3]);
    }

    fn an_argument_whose_drop_panics_is_told_and_its_child_waited_for() {
        let failure = failure(try_parallel!(takes(PanicsWhenDropped(process::id()))));
        assert_eq!((failure.process(), failure.message()), ("law/takes", "dropped"));
    }

    fn a_result_whose_drop_panics_there_is_told() {
        let failure = failure(try_parallel!(gives(process::id())));
        assert_eq!((failure.process(), failure.message()), ("law/gives", "dropped"));
    }
}
