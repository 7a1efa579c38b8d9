//! Whole programs under `#[csp::main]`, watched from outside: how they end and what they say.

use csp_tests::limit;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

fn run(program: &str, backend: &str) -> Ended {
    let mut command = Command::new(program);
    command.arg(backend).env_remove("RUST_BACKTRACE");
    watch(command)
}

fn watch(mut command: Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            break status;
        }
        if start.elapsed() > limit() {
            child.kill().expect("a child to end");
            panic!("{command:?} hangs");
        }
        sleep(Duration::from_millis(2));
    };
    let (mut output, mut errors) = (String::new(), String::new());
    child.stdout.expect("piped").read_to_string(&mut output).expect("text");
    child.stderr.expect("piped").read_to_string(&mut errors).expect("text");
    Ended { code: status.code(), output, errors }
}

fn on_each_backend(program: &str, law: fn(Ended)) {
    if cfg!(feature = "coroutines") {
        law(run(program, "coroutine"));
    }
    if cfg!(feature = "threads") {
        law(run(program, "thread"));
    }
}

#[test]
fn main_waits_for_what_it_spawned_and_keeps_its_exit_code() {
    on_each_backend(env!("CARGO_BIN_EXE_main_waits_for_what_it_spawned"), |ended| {
        assert_eq!(ended.output, "main ends\n0\n1\n2\n3\n4\nmain/printer\n");
        assert_eq!(ended.errors, "");
        assert_eq!(ended.code, Some(3));
    });
}

#[test]
fn main_panics_with_a_process_it_left_behind() {
    on_each_backend(env!("CARGO_BIN_EXE_main_panics_with_a_process"), |ended| {
        assert_eq!(ended.output, "main ends\nprinter: poisoned\n");
        assert!(
            ended.errors.contains("main/crashes") && ended.errors.contains("out of cheese"),
            "{}",
            ended.errors
        );
        assert_eq!(ended.code, Some(101));
    });
}

#[test]
fn main_does_not_wait_for_a_daemon() {
    on_each_backend(env!("CARGO_BIN_EXE_main_leaves_a_daemon"), |ended| {
        assert_eq!(ended.output, "main ends\n");
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
    });
}

#[test]
fn a_panic_of_main_reaches_what_it_spawned() {
    on_each_backend(env!("CARGO_BIN_EXE_main_panics"), |ended| {
        assert!(ended.output.contains("`main` panicked"), "{}", ended.output);
        assert!(ended.output.contains("enough"), "{}", ended.output);
        assert_eq!(ended.code, Some(101));
    });
}

#[test]
fn a_thread_that_panics_before_all_else_poisons_too() {
    let ended = run(env!("CARGO_BIN_EXE_a_thread_panics_first"), "");
    assert!(ended.output.contains("poisoned"), "{} {}", ended.output, ended.errors);
    assert_eq!(ended.code, Some(0));
}

/// Where the system tells how many threads there are.
#[cfg(target_os = "linux")]
#[test]
fn a_deadlock_is_found_although_threads_wait_for_calls() {
    on_each_backend(env!("CARGO_BIN_EXE_deadlock_after_calls"), |ended| {
        assert_eq!(ended.output, "after the calls\na deadlock\n", "{}", ended.errors);
        assert_eq!(ended.code, Some(0));
    });
}

#[test]
fn a_stack_that_overflows_is_an_error_and_no_corruption() {
    on_each_backend(env!("CARGO_BIN_EXE_a_stack_overflows"), |ended| {
        assert_eq!(ended.output, "", "nobody goes on beside an overflowed stack");
        assert!(ended.errors.contains("overflowed its stack"), "{}", ended.errors);
        assert!(ended.errors.contains("descends"), "who it was: {}", ended.errors);
        assert_ne!(ended.code, Some(0));
    });
}

#[cfg(feature = "coroutines")]
#[test]
fn a_coroutine_that_runs_long_is_named_once() {
    let run = |limit: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_runs_long"));
        program.env("CSP_BUSY", limit);
        let ended = watch(program);
        assert_eq!((&*ended.output, ended.code), ("304\n", Some(0)));
        ended.errors
    };
    let said = run("100");
    assert_eq!(said.matches("without communicating").count(), 1, "{said}");
    assert!(said.contains("`main/computes["), "{said}");
    assert_eq!(run("off"), "", "it was turned off");
    assert_eq!(run("100000"), "", "nobody ran that long");
}

#[cfg(feature = "coroutines")]
#[test]
fn more_waiting_processes_than_stacks_is_an_error_that_says_what_to_do() {
    // The engine that has few: the other takes a million.
    let mut program = Command::new(env!("CARGO_BIN_EXE_too_many_wait"));
    program.env("CSP_ENGINE", "generator");
    let ended = watch(program);
    let lines: Vec<_> = ended.output.lines().collect();
    assert_eq!(lines.len(), 3, "{} {}", ended.output, ended.errors);
    assert_eq!((lines[0], lines[2]), ("true", "true"));
    assert!(
        lines[1].contains("could not be started") && lines[1].contains("fewer"),
        "{}",
        lines[1]
    );
    assert_eq!(ended.code, Some(0));
}
