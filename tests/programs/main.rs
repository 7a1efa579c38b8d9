//! Whole programs under `#[csp::main]`, watched from outside: how they end and what they print.

#[cfg(all(target_os = "linux", feature = "coroutines", feature = "subprocess"))]
mod refused;
#[cfg(all(target_os = "linux", feature = "coroutines"))]
mod resting;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod trials;

use csp_tests::{ENGINES, limit};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

struct Ended {
    code: Option<i32>,
    /// The signal that has ended it.
    #[cfg(unix)]
    #[cfg_attr(not(feature = "signals"), allow(dead_code))]
    signal: Option<i32>,
    output: String,
    errors: String,
}

/// A program that runs. It is killed if it takes too long.
struct Running {
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    /// The end that is dropped when the program has ended.
    ended: mpsc::Sender<()>,
}

impl Running {
    /// Starts a program, on one core, as without the feature `cores`, which other packages of a build may turn on.
    fn start(mut command: Command) -> Self {
        if !command.get_envs().any(|(name, _)| name == "CSP_CORES") {
            command.env("CSP_CORES", "1");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let child = Arc::new(Mutex::new(child));
        let (ended, end) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            if end.recv_timeout(limit()) == Err(mpsc::RecvTimeoutError::Timeout) {
                watched.lock().unwrap().kill().expect("a child to end");
                eprintln!("{command:?} hangs: it was killed");
            }
        });
        Self { child, stdin, stdout, stderr, ended }
    }

    /// Reads on until standard error contains all parts.
    fn says(&mut self, said: &mut String, parts: &[&str]) {
        while !parts.iter().all(|part| said.contains(part)) {
            let read = self.stderr.read_line(said).expect("text");
            assert_ne!(read, 0, "only this was said:\n{said}");
        }
    }

    /// Reads the next line of its output.
    #[cfg_attr(not(feature = "signals"), allow(dead_code))]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    fn tell(&mut self, text: &str) {
        self.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it listens");
    }

    /// Returns its end, and its output that has not been read yet.
    fn end(mut self) -> Ended {
        let (mut output, mut errors) = (String::new(), String::new());
        thread::scope(|scope| {
            scope.spawn(|| self.stdout.read_to_string(&mut output).expect("text"));
            self.stderr.read_to_string(&mut errors).expect("text");
        });
        // The program may have closed its output long before it ends. If it hangs, it must be killed meanwhile.
        let status = loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().expect("a child") {
                break status;
            }
            thread::sleep(Duration::from_millis(1));
        };
        drop(self.ended);
        Ended {
            code: status.code(),
            #[cfg(unix)]
            signal: std::os::unix::process::ExitStatusExt::signal(&status),
            output,
            errors,
        }
    }
}

fn run(program: &str, backend: &str) -> Ended {
    let mut command = Command::new(program);
    command.arg(backend);
    watch(command)
}

/// Runs a program to its end, without backtraces, and without reports of processes that had to wait for a core.
fn watch(mut command: Command) -> Ended {
    command.env_remove("RUST_BACKTRACE");
    if !command.get_envs().any(|(name, _)| name == "CSP_BUSY") {
        command.env("CSP_BUSY", "off");
    }
    Running::start(command).end()
}

fn on_each_backend(program: &str, law: fn(Ended)) {
    on_each_backend_with(program, "", law);
}

/// Runs the program on each backend, in the case of this name.
fn on_each_backend_with(program: &str, case: &str, law: fn(Ended)) {
    for (backend, is_there) in
        [("coroutine", cfg!(feature = "coroutines")), ("thread", cfg!(feature = "threads"))]
    {
        if is_there {
            let mut command = Command::new(program);
            command.args([backend, case]);
            law(watch(command));
        }
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
fn who_exits_waits_for_nobody() {
    let exits = |backend: &str, who: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_exits"));
        program.args([backend, who]);
        let ended = watch(program);
        let code = if who == "nobody" { 0 } else { 3 };
        assert_eq!((&*ended.output, &*ended.errors, ended.code), ("", "", Some(code)), "{who}");
    };
    for who in ["main", "process", "async process", "thread", "nobody"] {
        if cfg!(feature = "coroutines") {
            exits("coroutine", who);
        }
        if cfg!(feature = "threads") {
            exits("thread", who);
        }
    }
}

/// Runs only if the system tells how many threads there are.
#[cfg(target_os = "linux")]
#[test]
fn a_deadlock_is_found_wherever_threads_have_communicated() {
    let deadlocks = |backend: &str, place: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_deadlock_after_threads"));
        program.args([backend, place]);
        let ended = watch(program);
        let written = if place.contains("destructor") { 10 } else { 5 };
        assert_eq!(ended.output, format!("{written}\ntrue\n"), "{place}: {}", ended.errors);
        assert_eq!(ended.code, Some(0));
    };
    for place in [
        "a thread",
        "a destructor",
        "a network in a destructor",
        "a computation",
        "a network in a computation",
        "a call",
    ] {
        if cfg!(feature = "coroutines") {
            deadlocks("coroutine", place);
        }
        if cfg!(feature = "threads") {
            deadlocks("thread", place);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_come_and_go_leave_nothing() {
    let law = |ended: Ended| {
        let grown: i64 = ended.output.trim().parse().expect("KiB");
        assert!(grown < 1_000, "{grown} KiB after 10,000 threads");
    };
    on_each_backend(env!("CARGO_BIN_EXE_threads_come_and_go"), law);
}

#[cfg(all(feature = "coroutines", target_os = "linux"))]
#[test]
fn no_memory_for_a_stack_is_an_error_and_the_next_network_runs() {
    for &engine in ENGINES {
        let mut program = Command::new("sh");
        program.args(["-c", r#"ulimit -v 300000 && exec "$0""#, env!("CARGO_BIN_EXE_no_memory")]);
        program.env("CSP_ENGINE", engine);
        let ended = watch(program);
        let lines: Vec<_> = ended.output.lines().collect();
        assert_eq!(lines.len(), 2, "{engine}: {} {}", ended.output, ended.errors);
        assert!(lines[0].contains("`main/gives` could not be started"), "{}", lines[0]);
        assert_eq!((lines[1], ended.code), ("2", Some(0)), "{engine}");
    }
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
        assert_eq!(ended.errors.matches("enough").count(), 1, "{}", ended.errors);
        assert!(ended.errors.contains("main_panics.rs:"), "{}", ended.errors);
        assert_eq!(ended.code, Some(101));
    });
}

/// The panic is shown when it happens, and when `main` hears of it.
#[test]
fn a_panic_of_a_process_of_main_is_shown_twice() {
    on_each_backend_with(env!("CARGO_BIN_EXE_main_panics"), "process", |ended| {
        assert_eq!(ended.errors.matches("enough").count(), 2, "{}", ended.errors);
        assert!(ended.errors.contains("process `main/panics` panicked at "), "{}", ended.errors);
        assert_eq!(ended.code, Some(101));
    });
}

#[test]
fn a_thread_that_panics_before_all_else_poisons_too() {
    let ended = run(env!("CARGO_BIN_EXE_a_thread_panics_first"), "");
    let Ended { code, output, errors, .. } = ended;
    assert!(output.contains("poisoned") && output.contains("first of all"), "{output} {errors}");
    assert_eq!(code, Some(0));
}

#[test]
fn an_overflow_far_below_main_names_its_process() {
    let far = "main/descends/descends/descends/(1490 more)/descends/";
    if ENGINES.contains(&"slab") {
        let ended = run(env!("CARGO_BIN_EXE_deep_parents"), "coroutine");
        assert!(ended.errors.contains(far), "{}", ended.errors);
        assert!(ended.errors.contains("overflowed its stack"), "{}", ended.errors);
        assert_eq!(ended.output, "");
    }
}

/// The panic is shown when it happens, when it is first passed on, and in `main`.
#[test]
fn a_panic_is_shown_three_times_whatever_the_number_of_parents() {
    for (below, backend) in [("3", "thread"), ("3", "coroutine"), ("2000", "coroutine")] {
        let has_threads = cfg!(feature = "threads");
        let has_coroutines = cfg!(feature = "coroutines");
        if !(if backend == "thread" { has_threads } else { has_coroutines }) {
            continue;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_deep_parents"));
        command.args([backend, below]);
        let ended = watch(command);
        let shown = ended.errors.matches("out of tea").count();
        assert_eq!((shown, ended.code), (3, Some(101)), "{below}: {}", ended.errors);
        assert!(ended.errors.len() < 2_000, "{below}: {}", ended.errors);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_daemon_may_start_its_successor_for_ever() {
    on_each_backend_with(env!("CARGO_BIN_EXE_deep_parents"), "relay", |ended| {
        let path =
            |more| format!("main/relays/relays/relays/({more} more)/{}", ["relays"; 8].join("/"));
        assert_eq!(ended.output, format!("{}\n{}\nflat\n", path(1_990), path(21_990)));
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
    });
}

#[test]
fn poison_names_its_panic_or_says_that_the_hook_was_replaced() {
    let replaced = "its message is not known, because the panic hook was replaced";
    let not_called = "its message is not known, because the panic hook was not called";
    for (case, heard) in [
        ("plain", "out of paper"),
        ("chained", "out of paper"),
        ("writes", "out of paper"),
        ("replaced", replaced),
        ("taken", replaced),
        ("kept", not_called),
        ("raised again", not_called),
    ] {
        let said = if case == "raised again" { case } else { "out of paper" };
        for backend in ["coroutine", "thread"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_panic_hooks"));
            command.args([backend, case]);
            let Ended { code, output, errors, .. } = watch(command);
            let lines: Vec<_> = output.lines().collect();
            assert!(
                lines[0].starts_with("failure: process `main/fails` panicked"),
                "{case}: {output}"
            );
            assert!(lines[0].ends_with(said), "{case}: {output}");
            assert!(lines[1].contains("process `main/fails` panicked"), "{case}: {output}");
            assert!(lines[1].ends_with(heard), "{case}: {output}");
            assert_eq!(lines.get(2).is_some(), case == "writes", "{case}: {output}");
            assert_eq!(code, Some(0), "{case}: {errors}");
        }
    }
}

/// Runs only if the system tells how many threads there are.
#[cfg(target_os = "linux")]
#[test]
fn a_deadlock_is_found_although_threads_wait_for_calls() {
    on_each_backend(env!("CARGO_BIN_EXE_deadlock_after_calls"), |ended| {
        assert_eq!(ended.output, "after the calls\na deadlock\n", "{}", ended.errors);
        assert_eq!(ended.code, Some(0));
    });
}

#[cfg(all(feature = "coroutines", feature = "compute", target_os = "linux"))]
#[test]
fn a_deadlock_inside_a_call_is_found() {
    for way in ["io", "compute", "crowd", "loop", "part", "network"] {
        let ended = run(env!("CARGO_BIN_EXE_deadlocks_in_calls"), way);
        assert!(ended.errors.contains("csp: deadlock: "), "{way}: {}", ended.errors);
        assert!(ended.output.ends_with(" ends\n"), "{way}: {}{}", ended.output, ended.errors);
        assert_eq!(ended.code, Some(0), "{way}: {}", ended.errors);
    }
}

#[test]
fn calls_that_keep_a_network_going_are_no_deadlock() {
    on_each_backend(env!("CARGO_BIN_EXE_calls_alone"), |ended| {
        assert_eq!((&*ended.output, ended.code), ("Ok(300)\n", Some(0)), "{}", ended.errors);
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
    assert_eq!(run("off"), "", "it was turned off");
    assert_eq!(run("100000"), "", "nobody ran that long");

    // It runs until it has been named. Then it runs again, which is not reported again.
    let mut program = Command::new(env!("CARGO_BIN_EXE_runs_long"));
    program.arg("told").env("CSP_BUSY", "100").stdin(Stdio::piped());
    let (mut program, mut said) = (Running::start(program), String::new());
    program.says(&mut said, &["`main/computes["]);
    program.tell("go on\n");
    let ended = program.end();
    said.push_str(&ended.errors);
    assert_eq!((&*ended.output, ended.code), ("304\n", Some(0)));
    // If it had to wait for a core itself, the process that communicates may have been named too.
    assert_eq!(said.matches("`main/computes[").count(), 1, "{said}");
}

/// Runs only if the system tells why a thread sleeps.
#[cfg(all(feature = "coroutines", target_os = "linux"))]
#[test]
fn a_thread_that_sleeps_for_what_its_own_coroutine_holds_is_named() {
    if std::fs::read_to_string("/proc/thread-self/syscall").is_err() {
        return;
    }
    for what in ["mutex", "rwlock", "once", "lazy", "condvar"] {
        for (wish, company) in [("suspects", "alone"), ("suspects", "company"), ("50", "alone")] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_hangs_held"));
            program.args([what, company]).env("CSP_BUSY", wish).stdin(Stdio::piped());
            let (mut program, mut said) = (Running::start(program), String::new());
            let mut parts = vec![
                "`main/wants` has slept outside of this library",
                "Of its thread are also: ",
                "main/holds",
                "csp::guide::held",
            ];
            if company == "company" {
                parts.push("main/talks");
            }
            if cfg!(debug_assertions) {
                parts.push("It waited last at tests/programs/hangs_held.rs:");
            }
            program.says(&mut said, &parts);
            program.tell("end\n");
            assert_eq!(program.end().code, Some(7), "{said}");
        }
    }
}

/// Runs only if the system tells why a thread sleeps.
#[cfg(all(feature = "threads", target_os = "linux"))]
#[test]
fn threads_that_sleep_outside_while_nobody_goes_on_are_named() {
    if std::fs::read_to_string("/proc/thread-self/syscall").is_err() {
        return;
    }
    let named = |mut program: Command, parts: &[&str]| {
        program.env("RAYON_NUM_THREADS", "1");
        let (mut program, mut said) = (Running::start(program), String::new());
        program.says(&mut said, parts);
        program.child.lock().unwrap().kill().expect("it hangs");
        program.end();
    };
    for what in ["mutex", "rwlock", "once", "lazy", "stdout", "condvar"] {
        for wish in ["suspects", "50"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_hangs_held"));
            program.args([what, "threads"]).env("CSP_BUSY", wish);
            let wants = "`main/wants` has slept outside of this library";
            named(program, &[wants, "main/holds: blocked at", "csp::guide::held"]);
        }
    }
    if cfg!(feature = "compute") {
        let mut program = Command::new(env!("CARGO_BIN_EXE_sleeps_outside"));
        program.arg("rayon").env("CSP_BUSY", "50");
        named(program, &["/computes`", "slept outside of this library", "csp::guide::held"]);
    }
}

#[cfg(all(feature = "threads", target_os = "linux"))]
#[test]
fn threads_that_sleep_outside_while_another_goes_on_are_not_named() {
    for what in ["sleeps", "sleeps known", "deadline"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_sleeps_outside"));
        program.arg(what).env("CSP_BUSY", "20");
        let Ended { code, output, errors, .. } = watch(program);
        assert_eq!((&*output, &*errors, code), ("Some(7)\n", "", Some(0)), "{what}");
    }
}

#[cfg(all(feature = "coroutines", feature = "compute"))]
#[test]
fn what_a_computation_has_spawned_is_awake() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_spawns_in_compute"));
    program.envs([("RAYON_NUM_THREADS", "1"), ("CSP_WATCH", "1")]);
    let ended = watch(program);
    let expected = ("true\nOk(Some(7))\n", Some(0));
    assert_eq!((&*ended.output, ended.code), expected, "{}", ended.errors);
}

#[cfg(feature = "coroutines")]
#[test]
fn more_waiting_processes_than_stacks_is_an_error_that_says_what_to_do() {
    // This engine has few stacks. The other engine takes a million processes. Stacks stay with the scheduler that has used them, so two
    // schedulers may have all of them on the wrong side.
    let mut program = Command::new(env!("CARGO_BIN_EXE_too_many_wait"));
    program.envs([("CSP_ENGINE", "generator"), ("CSP_CORES", "1")]);
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

#[test]
fn ends_that_are_made_too_late_are_named_once() {
    on_each_backend(env!("CARGO_BIN_EXE_late_ends"), |ended| {
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        if !cfg!(debug_assertions) {
            assert_eq!((ended.errors.as_str(), ended.output.as_str()), ("", ""));
            return;
        }
        let went = "its last writer, made at tests/programs/late_ends.rs:16:35, went with process `main/answers`";
        let late = format!(
            "csp: tests/programs/late_ends.rs:16:35 makes a writer of the channel `answers`, which has retired: {went}.\n\
             A channel retires with the last end of a side, and for good. Keep one writer as long as others may come, and clone it.\n"
        );
        assert_eq!(ended.errors, late);
        assert!(ended.output.starts_with(&format!("{went}\n")), "{}", ended.output);
        let network = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(network.contains(&format!("retired: {went}")), "{network}");
    });
}

/// The reply channel of a newcomer's client, alone and a hundred times behind a load balancer.
#[test]
fn a_reply_channel_that_has_retired_is_named_where_its_next_writer_is_made() {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_late_replies");
    let place = "tests/programs/late_replies.rs:33:";
    for (case, output) in [
        ("client", "Err(Retired)\n"),
        ("balancer", "100 of 100 retired\n"),
        ("kept", "100 of 100 right, true\n"),
    ] {
        for (backend, is_there) in
            [("coroutine", cfg!(feature = "coroutines")), ("thread", cfg!(feature = "threads"))]
        {
            if !is_there {
                continue;
            }
            let mut command = Command::new(PROGRAM);
            command.args([backend, case]);
            let ended = watch(command);
            assert_eq!((&*ended.output, ended.code), (output, Some(0)), "{}", ended.errors);
            if case == "kept" || !cfg!(debug_assertions) {
                assert_eq!(ended.errors, "", "{case}");
                continue;
            }
            assert!(ended.errors.starts_with(&format!("csp: {place}")), "{}", ended.errors);
            assert_eq!(ended.errors.matches("makes a writer of").count(), 1, "{}", ended.errors);
            assert!(ended.errors.contains("Keep one writer"), "{}", ended.errors);
        }
    }
}

#[test]
fn what_main_leaves_behind_is_named() {
    on_each_backend(env!("CARGO_BIN_EXE_main_leaves_things"), |ended| {
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let said = ended.errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.starts_with("csp: left behind by `main`: still alive: other: blocked at "),
            "{said}"
        );
        let place = "tests/programs/main_leaves_things.rs";
        for part in [
            format!("other/waits: blocked at {place}:8:11 read from Channel<u32> of {place}"),
            format!("`full`, Channel<i32> of {place}:62:16: 2 values that were never read"),
            format!("`stays`, Channel<&str> of {place}:71:17: 1 value that was never read"),
        ] {
            assert!(said.contains(&part), "{part}\nin {}", ended.errors);
        }
        assert_eq!(said.matches("never read").count(), 2, "{said}");
        if cfg!(debug_assertions) {
            for part in [
                format!(
                    "`unused`, Channel<u8> of {place}:78:18: its reader of {place}:79:22 was never used"
                ),
                // The named end is the one that keeps the process alive.
                format!(
                    "Channel<u32> of {place}:84:17: its writer of {place}:85:50 was never used"
                ),
            ] {
                assert!(said.contains(&part), "{part}\nin {}", ended.errors);
            }
            assert_eq!(said.matches("never used").count(), 2, "{said}");
        }
        assert!(!said.contains("daemon") && !said.contains("works"), "{said}");
    });
}

/// Runs `standard_error` on each backend. The event `what` happens there while standard error is held in the manner of `how`.
fn while_stderr_is_held(what: &str, how: &str) -> Vec<Ended> {
    let backends =
        [("coroutine", cfg!(feature = "coroutines")), ("thread", cfg!(feature = "threads"))];
    let backends = backends.into_iter().filter(|(_, there)| *there);
    let run = |(backend, _)| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_standard_error"));
        program.args([backend, how, what]);
        watch(program)
    };
    backends.map(run).collect()
}

const EVENTS: &[&str] = if cfg!(feature = "subprocess") {
    &["deadlock", "talks", "talks-long", "panics", "later", "holds"]
} else {
    &["deadlock"]
};

#[test]
fn a_lock_on_standard_error_keeps_nobody_from_going_on_and_all_is_said_later() {
    for what in EVENTS {
        // This event holds standard error itself.
        let how = if *what == "holds" { "free" } else { "locked" };
        for ended in while_stderr_is_held(what, how) {
            assert_eq!((&*ended.output, ended.code), ("true\n", Some(0)), "{what}");
            let expected = match *what {
                "deadlock" => "csp: deadlock: ",
                "talks" | "later" | "holds" => "line 2 of ",
                // There was not enough room for all of it.
                "talks-long" => " bytes for standard error were dropped here",
                _ => "a panic elsewhere",
            };
            assert!(ended.errors.contains(expected), "{what}: {}", ended.errors);
        }
    }
}

#[test]
fn a_report_is_said_at_the_end_although_a_lock_on_standard_error_is_kept_for_ever() {
    for ended in while_stderr_is_held("deadlock", "for-ever") {
        assert_eq!((&*ended.output, ended.code), ("true\n", Some(0)));
        assert_eq!(ended.errors.matches("csp: deadlock: ").count(), 1, "{}", ended.errors);
    }
}

#[test]
fn a_report_is_said_before_the_program_exits_or_aborts() {
    for (how, code) in [("exit", Some(3)), ("abort", None)] {
        for ended in while_stderr_is_held("deadlock", how) {
            assert_eq!((&*ended.output, ended.code), ("true\n", code));
            assert_eq!(ended.errors.matches("csp: deadlock: ").count(), 1, "{}", ended.errors);
        }
    }
}

/// Pipes hold so much at least, where they are Linux's.
#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_takes_nothing_keeps_nobody_from_going_on() {
    for what in EVENTS {
        let backends: &[_] =
            if *what == "deadlock" { &["coroutine", "thread"] } else { &["coroutine"] };
        for backend in backends {
            let (_reader, mut full) = std::io::pipe().expect("a pipe");
            full.write_all(&[b'x'; 1 << 16]).expect("it holds that");
            let mut program = Command::new(env!("CARGO_BIN_EXE_standard_error"));
            program.args([backend, "full", what]).env("CSP_BUSY", "off");
            program.stdout(Stdio::piped()).stderr(full);
            let mut child = program.spawn().expect("the program starts");
            let mut output = String::new();
            let limited = limit();
            thread::scope(|scope| {
                let (ended, end) = mpsc::channel::<()>();
                let id = child.id().to_string();
                scope.spawn(move || {
                    if end.recv_timeout(limited) == Err(mpsc::RecvTimeoutError::Timeout) {
                        let _ = Command::new("kill").args(["-9", &id]).status();
                    }
                });
                let mut stdout = child.stdout.take().expect("piped");
                stdout.read_to_string(&mut output).expect("text");
                let status = child.wait().expect("a child");
                assert_eq!((&*output, status.code()), ("true\n", Some(0)), "{what}");
                drop(ended);
            });
        }
    }
}

#[test]
fn nobody_who_does_not_want_to_know_is_told() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_main_leaves_things"));
    program.env("CSP_LEAKS", "off");
    let ended = watch(program);
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
}

fn deadlocks(ended: &Ended) {
    assert_eq!(ended.output, "", "nobody went on");
    assert_eq!(ended.code, Some(101));
    assert_eq!(ended.errors.matches("csp: deadlock: ").count(), 1, "{}", ended.errors);
    assert!(!ended.errors.contains('\x1b'), "no terminal, no colours: {}", ended.errors);
    let report = ended.errors.lines().take_while(|line| !line.is_empty());
    for line in report {
        assert!(line.chars().count() <= 80 && !line.ends_with(' '), "{line}");
    }
}

#[test]
fn a_deadlock_that_nobody_does_anything_about_ends_the_program_with_a_report() {
    on_each_backend(env!("CARGO_BIN_EXE_main_deadlocks"), |ended| {
        deadlocks(&ended);
        let said = ended.errors.split_whitespace().collect::<Vec<_>>().join(" ");
        let place = "tests/programs/main_deadlocks.rs";
        for part in [
            "deadlock: 3 processes wait for one another, and nobody else can wake them",
            &format!("main: blocked at {place}:27:13 join processes of {place}:27:13"),
            &format!("main/chooses: blocked at {place}:17:17, in a choice of"),
            &format!("read from Channel<u64> of {place}:26:57 its writer: main/echo"),
            &format!("read from `other`, Channel<String> of {place}:15:17, 0 of 3 buffered"),
            "its writer: main/chooses",
            &format!(
                "main/echo: blocked at {place}:9:28 read from `there`, Channel<u64> of {place}:26:26"
            ),
            "cycle, below main: chooses → `other` → chooses",
        ] {
            assert!(said.contains(part), "{part}\nin {said}");
        }
    });
}

#[test]
fn a_deadlock_of_a_plain_main_ends_the_program_with_a_report() {
    let law = |ended: Ended| {
        // The program ignores the value of `join`, but the failure of the process is still reported.
        assert_eq!(ended.errors.matches("csp: deadlock: ").count(), 1, "{}", ended.errors);
        for blocked in ["main: blocked at", "main/waits: blocked at"] {
            assert!(ended.errors.contains(blocked), "{}", ended.errors);
        }
        assert_eq!((ended.output.as_str(), ended.code), ("", Some(101)), "{}", ended.errors);
    };
    let program = env!("CARGO_BIN_EXE_plain_main_deadlocks");
    on_each_backend(program, law);
    if cfg!(feature = "subprocess") {
        law(run(program, "subprocess"));
    }
}

#[test]
fn a_panic_inside_a_panic_ends_the_program_at_once() {
    on_each_backend(env!("CARGO_BIN_EXE_panics_twice"), |ended| {
        assert_eq!((ended.output.as_str(), ended.code), ("", None), "it is aborted");
        for text in ["the first panic", "the second panic"] {
            assert!(ended.errors.contains(text), "{}", ended.errors);
        }
    });
}

#[cfg(unix)]
#[test]
fn signals_print_the_network() {
    for (signal, form, parts) in [
        ("-USR1", "text", &["main/waits: blocked at", "read from `orders`", "channels:"][..]),
        ("-QUIT", "json", &["{\"processes\":[", "\"channels\":[{\"name\":\"orders\""]),
        ("-QUIT", "dot", &["digraph network {", "label=\"main/waits\""]),
        ("-USR1", "mermaid", &["flowchart LR", "[\"main/waits\"]"]),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_main_dumps"));
        program.env("CSP_DUMP", form).env("CSP_BUSY", "off").stdin(Stdio::piped());
        let mut program = Running::start(program);
        let mut line = String::new();
        program.stdout.read_line(&mut line).expect("text");
        assert_eq!(line, "ready\n");
        let id = program.child.lock().unwrap().id();
        let kill = Command::new("kill").arg(signal).arg(id.to_string()).status();
        assert!(kill.expect("`kill` is there").success());
        program.says(&mut String::new(), parts);
        program.tell("go on\n");
        let ended = program.end();
        assert_eq!((&*ended.output, ended.code), ("go on\nOk(7)\n", Some(0)));
    }
}

/// Runs one of the trials, which is an ignored test otherwise.
fn trial(name: &str) -> Ended {
    let mut program = Command::new(std::env::current_exe().expect("this program"));
    program.args(["--ignored", "--exact", &format!("trials::{name}")]);
    program.env_remove("CSP_TEST_LIMIT");
    watch(program)
}

#[track_caller]
fn fails_with(name: &str, parts: &[&str]) {
    let ended = trial(name);
    assert_eq!(ended.code, Some(101), "{}", ended.output);
    let said = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(said.contains(part), "{part}\nin {}", ended.output);
    }
}

#[test]
fn a_test_that_is_right_passes() {
    let right =
        ["is_right", "is_wrong_and_says_so", "may_leave_a_value", "awaits_what_it_has_written"];
    for name in right {
        let ended = trial(name);
        assert!(ended.output.contains("1 passed"), "{}", ended.output);
        assert_eq!(ended.code, Some(0));
    }
}

#[test]
fn a_test_that_panics_shows_that_once() {
    for (name, count) in [("fails", 1), ("has_a_process_that_fails", 2)] {
        let ended = trial(name);
        assert_eq!(ended.code, Some(101), "{name}");
        assert_eq!(ended.output.matches("out of tea").count(), count, "{name}: {}", ended.output);
        assert_eq!(ended.errors, "", "{name}");
    }
}

#[test]
fn a_test_that_leaves_something_fails() {
    let left = "left behind by `programs::trials::";
    let value =
        "`mail`, Channel<i32> of tests/programs/trials.rs:43:5: 1 value that was never read";
    fails_with("leaves_a_value", &[left, value]);
    fails_with(
        "leaves_a_process",
        &[left, "other/sums: blocked at tests/programs/trials.rs:15:11"],
    );
    if cfg!(debug_assertions) {
        let end = "Channel<u32> of tests/programs/trials.rs:63:18: its writer of \
                   tests/programs/trials.rs:64:24 was never used";
        fails_with("leaves_an_end", &[left, end]);
    }
}

#[test]
fn a_test_that_hangs_shows_the_network() {
    let network = "programs::trials::hangs/sums: blocked at tests/programs/trials.rs:";
    fails_with("hangs", &[network, "read from `never`", "has not ended after 3s"]);
}

#[test]
fn a_test_fails_with_its_error() {
    fails_with("returns_an_error", &["Error: Retired", "returned an error"]);
}

#[cfg(feature = "subprocess")]
mod os_processes {
    use super::*;

    const PROGRAM: &str = env!("CARGO_BIN_EXE_os_processes");

    /// Checks that `main` ran once, in the parent. The output of children is not lost, and comes before their end is known.
    fn check(ended: Ended) {
        let Ended { code, output, errors, .. } = ended;
        assert_eq!((code, &*errors), (Some(0), ""), "{output}");
        assert!(output.starts_with("main\n") && output.ends_with("end\n"), "{output}");
        assert_eq!(output.matches("main\n").count(), 1);
        for child in ["main/child[0]", "main/child[1]"] {
            assert_eq!(output.matches(child).count(), 1, "{output}");
        }
    }

    #[test]
    fn children_never_come_to_a_main_whatever_it_is() {
        for main in ["marked", "init", "plain"] {
            check(run(PROGRAM, main));
        }
    }

    #[test]
    fn a_program_that_is_deleted_or_replaced_meanwhile_still_has_children() {
        let copy = std::env::temp_dir().join(format!("csp-os-processes-{}", std::process::id()));
        // The shell opens the copy, deletes it and runs `/proc/self/fd/3`. The test does not copy it itself, because a child
        // that another test forks at that moment would keep the copy open for writing.
        let script = r#"cp "$0" "$1"; exec 3<"$1"; rm "$1"; exec /proc/self/fd/3 plain"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, PROGRAM]).arg(&copy);
        check(watch(command));
        assert!(!copy.exists());
    }

    #[cfg(feature = "coroutines")]
    #[test]
    fn a_copy_made_by_fork_goes_on_or_gets_an_error() {
        for what in ["coroutines", "threads", "deadlock", "io", "compute", "away"] {
            let ended = run(env!("CARGO_BIN_EXE_forks"), what);
            let expected = "copy: 7, original: true\n";
            assert_eq!(
                (&*ended.output, ended.code),
                (expected, Some(0)),
                "{what}: {}",
                ended.errors
            );
        }
    }

    const MUCH: &str = env!("CARGO_BIN_EXE_children_say_much");

    #[test]
    fn lines_of_several_children_stay_whole() {
        let ended = run(MUCH, "lines");
        assert_eq!(ended.code, Some(0), "{}", ended.output);
        let lines: Vec<_> = ended.errors.lines().collect();
        let whole = |line: &&str| line.len() == 99 && line.bytes().all(|b| b == line.as_bytes()[0]);
        assert_eq!((lines.len(), lines.iter().find(|line| !whole(line))), (3000, None));
    }

    #[test]
    fn a_line_without_an_end_is_said_too_and_what_comes_after_it_begins_a_line() {
        let ended = run(MUCH, "unended");
        assert_eq!(
            (ended.code, &*ended.errors),
            (Some(0), "no end\nanother\n"),
            "{}",
            ended.output
        );
    }

    #[test]
    fn an_overflow_in_a_child_names_its_process() {
        for main in ["overflows", "plain-overflows"] {
            let Ended { code, output, errors, .. } = run(MUCH, main);
            assert_eq!(code, Some(0), "{output} {errors}");
            // Without the engine `slab`, nothing ahead of `main` sees the overflow.
            let is_seen = ENGINES.contains(&"slab") || main == "overflows";
            let what =
                if is_seen { "overflowed its stack" } else { "its stack may have overflowed" };
            for part in ["main/descends", what] {
                assert!(output.contains(part), "{main}: {part} in {output}");
            }
        }
    }

    #[test]
    fn children_that_can_t_be_had_are_failures() {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_os_process_without_descriptors");
        command.args(["-c", r#"ulimit -n 60; exec "$0""#, program]);
        let Ended { code, output, errors, .. } = watch(command);
        assert_eq!((code, &*errors), (Some(0), ""), "{output}");
        for line in output.lines() {
            assert!(line.contains("could not be started: no OS process could be had"), "{line}");
            assert!(line.contains("descriptors"), "{line}");
        }
    }

    /// Returns the output of the program, run by a shell after these commands.
    fn shown(before: &str, what: &str) -> String {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_os_process_and_the_system");
        command.args(["-c", &format!(r#"{before}; exec "$0" "$1""#), program, what]);
        let Ended { code, output, errors, .. } = watch(command);
        assert_eq!((code, &*errors), (Some(0), ""), "{output}");
        output
    }

    #[test]
    fn programs_have_the_limit_of_descriptors_that_was_there_before() {
        assert_eq!(shown("ulimit -Sn 200", "limit"), "1: 200\n1: 200\n");
    }

    #[test]
    fn programs_get_no_descriptor_of_ours() {
        let output = shown("true", "descriptors");
        let [before, after] = output.lines().collect::<Vec<_>>()[..] else { panic!("{output}") };
        assert_eq!(before.strip_prefix("0: "), after.strip_prefix("5: "), "{output}");
    }

    #[test]
    fn memory_that_a_file_may_not_have_is_an_error() {
        let output = shown("ulimit -f 8", "works");
        assert_eq!(output.matches("more than a file may have").count(), 2, "{output}");
    }

    #[test]
    fn a_folder_for_temporary_files_that_is_none_does_not_matter() {
        for folder in ["/nowhere", "/proc", "/proc/self/status"] {
            let output = shown(&format!("export TMPDIR={folder}"), "works");
            assert!(output.starts_with("works: 2\n"), "{folder}: {output}");
        }
    }
}
