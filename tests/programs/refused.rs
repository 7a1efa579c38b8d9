//! The system refuses threads: each thread of the library's own in turn, for a while. An operation that needs the thread is an error
//! meanwhile, and works afterwards.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use csp::{Channel, Reader, Writer, process, try_parallel};
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

use super::watch;

#[process]
fn calls() -> u32 {
    csp::io(|| 5)
}

#[process]
fn computes() -> u32 {
    csp::compute(|| 6)
}

#[csp::multiprocess]
fn away(n: u32) -> u32 {
    n + 1
}

#[process]
fn polite(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    output.write(input.read()?)?;
    Ok(())
}

fn found(what: &str, result: u32, expected: u32) -> Result<(), String> {
    if result == expected { Ok(()) } else { Err(format!("{what} is wrong: {result}")) }
}

/// Does `what`. `refused` is true while the system refuses threads.
fn happens(what: &str, refused: bool) -> Result<(), String> {
    let told = |failure: csp::Failure| format!("{failure:#}");
    match what {
        "io" => found(what, try_parallel!(calls()).map_err(told)?.0, 5),
        "compute" => found(what, try_parallel!(computes()).map_err(told)?.0, 6),
        "away" => found(what, try_parallel!(away(1)).map_err(told)?.0, 2),
        // No thread could find the deadlock now, and the failure says so.
        "deadlock" if refused => {
            let channel = Channel::new();
            let writes = polite(channel.reader(), Channel::buffered(1).writer());
            drop(channel);
            try_parallel!(writes).map(drop).map_err(told)
        }
        "deadlock" => {
            let (one, other) = (Channel::new(), Channel::new());
            let first = polite(one.reader(), other.writer());
            let second = polite(other.reader(), one.writer());
            drop((one, other));
            let found = try_parallel!(first, second);
            let found = found.is_err_and(|failure| failure.deadlock().is_some());
            if found { Ok(()) } else { Err("it was not found".to_owned()) }
        }
        _ => panic!("{what}?"),
    }
}

#[test]
#[ignore = "run by `a_thread_that_was_refused_is_had_later`"]
fn trial() {
    let wish = env::var("CSP_TEST_REFUSED").expect("how many threads may be had, and what happens");
    let (spare, what) = wish.split_once(' ').expect("both");
    let tasks = fs::read_dir("/proc/self/task").expect("proc").count() as u64;
    let before = getrlimit(Resource::Nproc);
    let spare: u64 = spare.parse().expect("a number");
    let few = Rlimit { current: Some(tasks + spare), ..before };
    setrlimit(Resource::Nproc, few).expect("it may be lowered");
    let first = happens(what, true);
    setrlimit(Resource::Nproc, before).expect("the hard one has stayed");
    if let Err(text) = &first {
        for part in ["could", "thread"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    assert_eq!(happens(what, false), Ok(()));
    println!("first: {}", if first.is_ok() { "well" } else { "refused" });
}

fn run(what: &str, spare: u32) -> super::Ended {
    static USERS: AtomicU32 = AtomicU32::new(0);
    // Limits are counted by user, so the program runs as its own user. They do not apply to root.
    let mut program = if getuid().is_root() {
        let user = 1_000_000 + std::process::id() * 100 + USERS.fetch_add(1, Ordering::Relaxed);
        let mut program = Command::new("setpriv");
        program.args(["--clear-groups", "--reuid", &user.to_string()]);
        program
    } else {
        let mut program = Command::new("unshare");
        program.arg("--user");
        program
    };
    program.arg(env::current_exe().expect("this program"));
    program.args(["--ignored", "--exact", "--nocapture", "refused::trial"]);
    program.env("CSP_TEST_REFUSED", format!("{spare} {what}"));
    watch(program)
}

#[test]
fn a_thread_that_was_refused_is_had_later() {
    for (what, needs) in [("deadlock", false), ("io", true), ("compute", true), ("away", true)] {
        let mut refused = 0;
        for spare in 0.. {
            let ended = run(what, spare);
            assert_eq!(ended.code, Some(0), "{what}, {spare}: {}{}", ended.output, ended.errors);
            if what == "deadlock" && spare == 0 {
                let said = "no thread could be had to look for deadlocks";
                assert!(ended.errors.contains(said), "{}", ended.errors);
            }
            // By now it has had all its threads.
            if ended.output.contains("first: well") && spare > 0 {
                break;
            }
            refused += u32::from(ended.output.contains("first: refused"));
            assert!(spare < 100, "{what} never comes to its threads");
        }
        assert_eq!(refused > 0, needs, "{what} was refused {refused} times");
    }
}
