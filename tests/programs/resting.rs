//! A network in which nothing happens, and the thread that watches it.

use super::Running;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// So many times the watch wakes while the network is looked at from here. It would look at the network four times meanwhile.
const WAKES: u64 = 40;

/// Returns how often a thread has fallen asleep.
fn naps(process: u32, thread: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/status"));
    let status = status.expect("it runs");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.expect("Linux counts").trim().parse().expect("a number")
}

/// Returns the thread of this name.
fn named(process: u32, name: &str) -> Option<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    threads.flatten().find_map(|thread| {
        let is_it = std::fs::read_to_string(thread.path().join("comm")).ok()?.trim() == name;
        is_it.then(|| thread.file_name().to_string_lossy().parse().expect("a number"))
    })
}

/// A look asks the scheduler, which wakes up for that.
#[test]
fn a_network_at_rest_is_looked_at_no_more_until_something_happens() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rests"));
    program.stdin(Stdio::piped()).envs([("CSP_WATCH", "5"), ("CSP_BUSY", "40")]);
    let mut program = Running::start(program);
    assert_eq!(program.line(), "reads");
    let process = program.child.lock().unwrap().id();
    let watch = loop {
        match named(process, "csp watch") {
            Some(thread) => break thread,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let rests = (0..30).any(|_| {
        let before = (naps(process, watch), naps(process, process));
        while naps(process, watch) < before.0 + WAKES {
            thread::sleep(Duration::from_millis(5));
        }
        naps(process, process) == before.1
    });
    assert!(rests, "each time when the watch wakes it looks at the network");
    // What happens in silence is found all the same.
    program.tell("one\n");
    let mut said = String::new();
    program.says(&mut said, &["deadlock", "one", "other"]);
    let ended = program.end();
    assert_eq!((&*ended.output, ended.code), ("true\n", Some(0)), "{said}{}", ended.errors);
}
