//! The engine under processes.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use csp_macros::process;

use super::mappings;
use super::program::{self, killed_by, said, this_test};
use crate::stack::slab;
use crate::{Channel, Reader, Writer, parallel, spawn, try_parallel};

#[process(crate = crate)]
fn ends_at_once() {}

#[process(crate = crate)]
fn waits(started: &'static AtomicUsize, for_ever: Reader<()>) -> bool {
    started.fetch_add(1, Relaxed);
    for_ever.read().is_err()
}

/// Releases the waiting processes when there are `many`, or when no more can be started. Returns
/// how many there were.
#[process(crate = crate)]
fn lets_go(
    started: &'static AtomicUsize,
    many: usize,
    held: Writer<()>,
) -> (usize, Option<String>) {
    let mut refused = None;
    while started.load(Relaxed) < many && refused.is_none() {
        refused = try_parallel!(ends_at_once()).err().map(|failure| format!("{failure:#}"));
    }
    drop(held);
    (started.load(Relaxed), refused)
}

/// Starts this many readers of one channel, or as many as can be blocked at once.
fn crowd(many: usize) -> (usize, Option<String>) {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    STARTED.store(0, Relaxed);
    let channel = Channel::new();
    let (reader, writer) = (channel.reader(), channel.writer());
    drop(channel);
    let (all, blocked) = parallel!(many * waits(&STARTED, reader), lets_go(&STARTED, many, writer));
    assert!(all.iter().all(|&retired| retired));
    blocked
}

#[process(crate = crate)]
fn falls(to: usize) -> usize {
    let frame = black_box([to; 16]);
    fn deeper(depth: usize, frame: [usize; 16]) -> usize {
        let frame = black_box(frame);
        if depth == 0 { frame[0] } else { deeper(depth - 1, frame) + frame[depth % 16] }
    }
    deeper(to, frame)
}

#[process(crate = crate)]
fn parent(depth: usize) -> Vec<usize> {
    parallel!(2 * falls(depth)).0
}

#[test]
fn overflow_names_the_path_of_the_process() {
    let output = program::run(this_test!(), &[], || {
        parallel!(parent(usize::MAX).named("grown"));
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGABRT), "{}", said(&output));
    assert!(
        said(&output).contains("/grown/falls[0]` has overflowed its stack"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_larger_stack_is_had_for_the_asking() {
    // Too deep for the stack that a process has by default, with frames of 128 bytes at least.
    let (sum,) = parallel!(falls(20_000).stack(64 << 20));
    assert!(sum > 0);
}

#[test]
fn many_can_be_blocked_at_once_and_the_mappings_stay_few() {
    let output = program::run(this_test!(), &[], || {
        assert_eq!(crowd(50_000), (50_000, None));
        assert!(mappings() < 100, "{}", mappings());
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", said(&output));
}

/// The engine's purpose. `cargo test --release -- --ignored million`
#[test]
#[ignore = "takes 5 GB of memory"]
fn a_million_can_be_blocked_at_once() {
    let output = program::run(this_test!(), &[], || {
        for _ in 0..2 {
            assert_eq!(crowd(1_000_000), (1_000_000, None));
            assert!(mappings() < 100, "{}", mappings());
        }
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kibibytes: usize = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(kibibytes < 4_700_000_000 / 1024, "{kibibytes}");
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn where_there_are_no_more_stacks_a_process_is_refused_and_the_others_go_on() {
    let other = is_compiled_in("generator").then_some(("CSP_ENGINE", "generator"));
    for environment in [("CSP_GUARDS", "mprotect")].into_iter().chain(other) {
        let output = program::run(this_test!(), &[environment], || {
            for _ in 0..2 {
                let (blocked, refused) = crowd(40_000);
                assert!((20_000..32_000).contains(&blocked), "{blocked}");
                assert!(refused.is_some_and(|why| why.contains("could not be started")));
            }
            parallel!(100 * ends_at_once());
        });
        let Some(output) = output else { return };
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn a_thread_that_ends_has_the_processes_that_it_left_run() {
    static RUN: AtomicUsize = AtomicUsize::new(0);
    #[process(crate = crate)]
    fn counts() {
        RUN.fetch_add(1, Relaxed);
    }
    for round in 1..=3 {
        let thread = std::thread::spawn(|| (0..50).for_each(|_| drop(spawn(counts()))));
        thread.join().expect("it does not panic");
        assert_eq!(RUN.load(Relaxed), 50 * round);
    }
}

fn is_compiled_in(engine: &str) -> bool {
    engine != "generator" || crate::stack::generator::IS_HERE
}

#[test]
fn an_engine_is_chosen_by_the_environment() {
    let engines = [("slab", true), ("generator", false)];
    for (engine, here) in engines.into_iter().filter(|(engine, _)| is_compiled_in(engine)) {
        let output = program::run(
            this_test!(),
            &[("CSP_ENGINE", engine), ("HERE", &here.to_string())],
            || {
                #[process(crate = crate)]
                fn is_on_a_slab() -> bool {
                    let local = 0u8;
                    crate::stack::slab::region::StackSlot::at((&raw const local).addr()).is_some()
                }
                let (is,) = parallel!(is_on_a_slab());
                assert_eq!(is.to_string(), std::env::var("HERE").expect("it was set"));
            },
        );
        let Some(output) = output else { return };
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn stack_use_is_said_when_asked_for() {
    let output = program::run(this_test!(), &[("CSP_STACKS", "1")], || {
        parallel!(falls(1));
        parallel!(falls(100));
    });
    let Some(output) = output else { return };
    assert_eq!(said(&output).matches("csp: `falls` has used ").count(), 2, "{}", said(&output));
    let size = format!(" of the {} bytes of its stack", slab::stack_size(None));
    assert!(said(&output).contains(&size), "{}", said(&output));
}
