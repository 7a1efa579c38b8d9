//! Whole programs under `#[csp::main]`, watched from outside: how they end and what they say.

mod trials;

use csp_tests::limit;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

/// A program that runs; killed when it takes too long.
struct Running {
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    /// Dropped when it has ended.
    ended: mpsc::Sender<()>,
}

impl Running {
    fn start(mut command: Command) -> Self {
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

    /// Reads on until that is said on standard error.
    fn says(&mut self, said: &mut String, parts: &[&str]) {
        while !parts.iter().all(|part| said.contains(part)) {
            let read = self.stderr.read_line(said).expect("text");
            assert_ne!(read, 0, "only this was said:\n{said}");
        }
    }

    fn tell(&mut self, text: &str) {
        self.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it listens");
    }

    /// Its end, and what has not been read of what it said.
    fn end(mut self) -> Ended {
        let (mut output, mut errors) = (String::new(), String::new());
        thread::scope(|scope| {
            scope.spawn(|| self.stdout.read_to_string(&mut output).expect("text"));
            self.stderr.read_to_string(&mut errors).expect("text");
        });
        // It may have let go of its output long before it ends; and it is to be killed meanwhile if it hangs.
        let status = loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().expect("a child") {
                break status;
            }
            thread::sleep(Duration::from_millis(1));
        };
        drop(self.ended);
        Ended { code: status.code(), output, errors }
    }
}

fn run(program: &str, backend: &str) -> Ended {
    let mut command = Command::new(program);
    command.arg(backend);
    watch(command)
}

/// Runs it to its end. Neither are panics traced, nor is it said who has had to wait for a core.
fn watch(mut command: Command) -> Ended {
    command.env_remove("RUST_BACKTRACE");
    if !command.get_envs().any(|(name, _)| name == "CSP_BUSY") {
        command.env("CSP_BUSY", "off");
    }
    Running::start(command).end()
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
    let Ended { code, output, errors } = ended;
    assert!(output.contains("poisoned") && output.contains("first of all"), "{output} {errors}");
    assert_eq!(code, Some(0));
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

    // It runs until it has been named; then again, which is not said again.
    let mut program = Command::new(env!("CARGO_BIN_EXE_runs_long"));
    program.arg("told").env("CSP_BUSY", "100").stdin(Stdio::piped());
    let (mut program, mut said) = (Running::start(program), String::new());
    program.says(&mut said, &["`main/computes["]);
    program.tell("go on\n");
    let ended = program.end();
    said.push_str(&ended.errors);
    assert_eq!((&*ended.output, ended.code), ("304\n", Some(0)));
    // Where it had to wait for a core itself, who talks may have been named too.
    assert_eq!(said.matches("`main/computes[").count(), 1, "{said}");
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
                // The one that keeps the process alive.
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
        // What `join` returns is thrown away, but not with it that the process has failed.
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

/// Runs one of the trials, a test that is ignored otherwise.
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
    for name in ["is_right", "is_wrong_and_says_so", "may_leave_a_value"] {
        let ended = trial(name);
        assert!(ended.output.contains("1 passed"), "{}", ended.output);
        assert_eq!(ended.code, Some(0));
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

    /// `main` ran once, in the parent; what children print is not lost, and comes before their end is known.
    fn check(ended: Ended) {
        let Ended { code, output, errors } = ended;
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
        // The shell opens it, then it is gone; what it runs is `/proc/self/fd/3`. Not copied here, where what another test
        // forks at that moment would keep it open for writing.
        let script = r#"cp "$0" "$1"; exec 3<"$1"; rm "$1"; exec /proc/self/fd/3 plain"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, PROGRAM]).arg(&copy);
        check(watch(command));
        assert!(!copy.exists());
    }

    #[test]
    fn children_that_can_t_be_had_are_failures() {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_os_process_without_descriptors");
        command.args(["-c", r#"ulimit -n 60; exec "$0""#, program]);
        let Ended { code, output, errors } = watch(command);
        assert_eq!((code, &*errors), (Some(0), ""), "{output}");
        for line in output.lines() {
            assert!(line.contains("could not be started: no OS process could be had"), "{line}");
            assert!(line.contains("descriptors"), "{line}");
        }
    }
}
