//! Signals as values: real signals, sent to real programs.

use std::process::{Command, Stdio};

use super::{Ended, Running, on_each_backend_with};

const PROGRAM: &str = env!("CARGO_BIN_EXE_reads_signals");

fn backends() -> impl Iterator<Item = &'static str> {
    let all = [("coroutine", cfg!(feature = "coroutines")), ("thread", cfg!(feature = "threads"))];
    all.into_iter().filter_map(|(backend, is_there)| is_there.then_some(backend))
}

/// Starts the program in this case. Its standard input stays open, and is empty.
fn start(backend: &str, case: &str) -> Running {
    let mut program = Command::new(PROGRAM);
    program.args([backend, case]).env("CSP_BUSY", "off").stdin(Stdio::piped());
    Running::start(program)
}

fn send(to: &Running, signal: &str) {
    let id = to.child.lock().unwrap().id();
    send_to(&id.to_string(), signal);
}

fn send_to(id: &str, signal: &str) {
    let kill = Command::new("kill").arg(signal).arg(id).status();
    assert!(kill.expect("`kill` is there").success());
}

fn ends_well(ended: &Ended, output: &str) {
    assert_eq!((&*ended.output, ended.code), (output, Some(0)), "{}", ended.errors);
    assert_eq!(ended.errors, "");
}

#[test]
fn each_signal_comes_to_the_process_that_reads() {
    for backend in backends() {
        for case in ["each", "async"] {
            let mut program = start(backend, case);
            assert_eq!(program.line(), "ready");
            for signal in ["USR1", "USR2", "USR1", "USR1", "TERM"] {
                send(&program, &format!("-{signal}"));
                assert_eq!(program.line(), format!("SIG{signal}"));
            }
            ends_well(&program.end(), "");
        }
    }
}

#[test]
fn a_signal_is_a_guard_among_others() {
    on_each_backend_with(PROGRAM, "choice", |ended| {
        let said = "SIGUSR1\norder 1\nanother: SIGUSR2\nSIGUSR1\nErr(Retired)\n";
        ends_well(&ended, said);
    });
}

#[test]
fn who_waits_for_a_signal_is_in_no_deadlock_and_those_beside_it_are() {
    for backend in backends() {
        let mut program = start(backend, "deadlock beside");
        let mut said = String::new();
        program.says(&mut said, &["csp: deadlock: ", "main/hears: blocked at"]);
        send(&program, "-USR1");
        let ended = program.end();
        said.push_str(&ended.errors);
        assert_eq!((&*ended.output, ended.code), ("Ok(SIGUSR1)\n", Some(0)), "{said}");
        assert_eq!(said.matches("csp: deadlock").count(), 1, "{said}");
    }
}

/// A signal and a socket are events for one thread, however many processes wait for either. On a coroutine the socket takes none.
#[cfg(all(feature = "net", target_os = "linux"))]
#[test]
fn signals_have_no_thread_of_their_own() {
    for backend in backends() {
        let mut program = start(backend, "interrupted");
        assert_eq!(program.line(), "ready");
        send(&program, "-INT");
        let ended = program.end();
        let said = "Ok(Some(SIGINT))\ncsp events\ntrue\n";
        assert_eq!((&*ended.output, ended.code), (said, Some(0)), "{}", ended.errors);
        assert!(ended.errors.contains("nobody else can wake them"), "{}", ended.errors);
    }
}

/// All processes wait for the one that waits for a signal, in an OS process of its own.
#[cfg(feature = "subprocess")]
#[test]
fn who_waits_for_a_signal_in_another_os_process_is_in_no_deadlock() {
    for backend in backends() {
        let mut program = start(backend, "elsewhere");
        let child = program.line();
        // In this time the OS processes ask one another whether anybody is awake. If they don't, the test shows nothing.
        std::thread::sleep(std::time::Duration::from_secs(1));
        send_to(&child, "-USR1");
        let ended = program.end();
        assert!(ended.errors.is_empty(), "{}", ended.errors);
        ends_well(&ended, "Ok(SIGUSR1)\nOk(()) Ok(())\n");
    }
}

/// Runs only if the system tells how many threads there are.
#[cfg(target_os = "linux")]
#[test]
fn signals_that_nobody_waits_for_hide_no_deadlock() {
    on_each_backend_with(PROGRAM, "deadlock", |ended| {
        assert!(ended.errors.contains("nobody else can wake them"), "{}", ended.errors);
        assert_eq!((&*ended.output, ended.code), ("Ok(SIGUSR1)\n", Some(0)), "{}", ended.errors);
    });
}

#[test]
fn a_signal_that_waits_unread_is_one_with_the_next_of_its_kind() {
    on_each_backend_with(PROGRAM, "merged", |ended| ends_well(&ended, "3\n"));
}

#[test]
fn each_call_has_all_signals_and_clones_share_them() {
    on_each_backend_with(PROGRAM, "shared", |ended| {
        ends_well(&ended, "Ok(SIGUSR1)\n[SIGUSR1, SIGUSR2] true\n");
    });
}

#[test]
fn signals_keep_no_program_alive() {
    on_each_backend_with(PROGRAM, "left", |ended| ends_well(&ended, "ends\n"));
}

#[test]
fn a_kind_that_nobody_reads_any_more_does_what_it_does_by_default() {
    for backend in backends() {
        let mut program = start(backend, "dropped");
        assert_eq!(program.line(), "ready");
        send(&program, "-TERM");
        // Both readers have it.
        assert_eq!(program.line(), "Ok(SIGTERM)");
        assert_eq!(program.line(), "Ok(SIGTERM)");
        send(&program, "-TERM");
        assert_eq!(program.line(), "Ok(SIGTERM)");
        send(&program, "-TERM");
        assert_eq!(program.line(), "Ok(SIGTERM)");
        send(&program, "-TERM");
        let _stdin = program.stdin.take();
        let ended = program.end();
        assert_eq!((&*ended.output, ended.signal), ("", Some(15)), "{}", ended.errors);
    }
}

#[test]
fn a_kind_that_the_program_ignored_before_stays_ignored() {
    on_each_backend_with(PROGRAM, "ignored", |ended| ends_well(&ended, "Ok(SIGTERM)\ngoes on\n"));
}

#[test]
fn a_kind_that_no_program_can_read_is_an_error() {
    for backend in backends() {
        let mut program = start(backend, "refused");
        let _stdin = program.stdin.take();
        let ended = program.end();
        let lines: Vec<_> = ended.output.lines().collect();
        assert_eq!(lines.len(), 3, "{} {}", ended.output, ended.errors);
        assert_eq!(lines[0], "a reader of signals needs a kind of signal");
        assert_eq!(lines[1], "no program can read signal 9");
        assert!(lines[2].contains("os error"), "{}", lines[2]);
        assert_eq!(ended.signal, Some(10), "{}", ended.errors);
    }
}

#[test]
fn a_reader_of_signals_that_is_poisoned_is_one_reader_less() {
    for backend in backends() {
        let mut program = start(backend, "poisoned");
        let _stdin = program.stdin.take();
        let ended = program.end();
        assert_eq!(ended.output, "the channel is poisoned by process `main`\n");
        assert_eq!(ended.signal, Some(15), "{}", ended.errors);
    }
}
