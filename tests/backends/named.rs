//! The backend that a process names: in the attribute, or by its value.

use std::process::Command;
use std::thread::{self, ThreadId};

use csp::{Backend, Cause, Channel, Failure, Termination, Writer, multiprocess, parallel, process};
use csp::{spawn, try_parallel};
use csp_tests_backends::{coroutines, subprocess, threads};

#[process]
fn thread() -> ThreadId {
    thread::current().id()
}

#[process]
async fn thread_async() -> ThreadId {
    thread::current().id()
}

#[process]
fn ends(_out: Writer<u8>) {}

#[multiprocess]
fn os_process() -> u32 {
    std::process::id()
}

#[process(on = coroutine)]
fn on_coroutine() -> ThreadId {
    thread::current().id()
}

/// Asserts that a process could not be started, because this feature is missing.
fn unstarted(failure: &Failure, feature: &str) {
    let Cause::Unstarted { process, reason } = failure.cause() else { panic!("{failure:?}") };
    assert!(process.contains("thread") || process.contains("os_process"), "{process}");
    assert!(reason.contains(&format!("the feature `{feature}` of csp")), "{reason}");
}

#[test]
fn a_process_runs_on_the_thread_that_it_asks_for_or_fails() {
    let ended = try_parallel!(thread().on(Backend::Thread), thread_async().on(Backend::Thread));
    match ended {
        Ok((one, other)) => {
            assert!(threads());
            assert!(one != other && ![one, other].contains(&thread::current().id()));
        }
        Err(failure) => {
            assert!(!threads());
            unstarted(&failure, "threads");
        }
    }
}

#[test]
fn each_of_several_fails() {
    let several = spawn((3 * thread()).on(Backend::Thread));
    for (index, thread) in several.into_iter().enumerate() {
        let ended = thread.try_join();
        assert_eq!(ended.is_ok(), threads());
        if let Err(failure) = ended {
            unstarted(&failure, "threads");
            assert!(failure.process().ends_with(&format!("/thread[{index}]")));
        }
    }
}

#[test]
fn a_process_runs_in_the_os_process_that_it_asks_for_or_fails() {
    match try_parallel!(os_process().on(Backend::Subprocess)) {
        Ok((id,)) => assert!(subprocess() && id != std::process::id()),
        Err(failure) => {
            assert!(!subprocess());
            unstarted(&failure, "subprocess");
        }
    }
}

#[test]
fn its_ends_are_poisoned_with_the_reason() {
    let channel = Channel::new();
    let reader = channel.reader();
    let ended = try_parallel!(ends(channel.writer()).on(Backend::Thread));
    drop(channel);
    assert_eq!(ended.is_ok(), threads());
    match reader.read() {
        Err(Termination::Retired) => assert!(threads()),
        Err(Termination::Poisoned(poison)) => {
            assert!(!threads() && matches!(poison.cause(), Cause::Unstarted { .. }), "{poison}");
        }
        Ok(_) => panic!("nobody writes"),
    }
}

#[test]
fn a_thread_stands_in_for_a_coroutine() {
    let here = thread::current().id();
    let (named, asked) = parallel!(on_coroutine(), thread().on(Backend::Coroutine));
    assert_eq!((named == here, asked == here), (coroutines(), coroutines()));
}

#[test]
fn multiprocess_runs_in_place_without_os_processes_and_says_so_once() {
    let ended = Command::new(env!("CARGO_BIN_EXE_in_place")).output().expect("it is built");
    let output = String::from_utf8(ended.stdout).expect("text");
    let errors = String::from_utf8(ended.stderr).expect("text");
    if subprocess() {
        assert_eq!((&*output, &*errors), ("false false false\ntrue\nfalse\n", ""));
    } else {
        assert_eq!(output, "true true true\nfalse\ntrue\n", "{errors}");
        let said = "csp: `main/first` has no OS process of its own, \
            nor has any other `#[multiprocess]` function: the feature `subprocess` of csp is not compiled in\n";
        assert_eq!(errors, if cfg!(debug_assertions) { said } else { "" });
    }
}

#[test]
fn the_attribute_is_a_compile_error_that_names_the_feature() {
    let cases = trybuild::TestCases::new();
    for (file, compiles) in [
        ("ui/on_thread.rs", threads()),
        ("ui/on_subprocess.rs", subprocess()),
        ("ui/isolated.rs", subprocess()),
    ] {
        match compiles {
            true => cases.pass(file),
            false => cases.compile_fail(file),
        }
    }
}
