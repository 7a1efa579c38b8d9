//! Children that are killed, stopped, or orphaned by their parent.

use std::path::PathBuf;
use std::{fs, thread};

use csp::{Spawned, multiprocess, parallel, spawn};
use rustix::process::{Pid, Signal, kill_process};

use crate::folder::{Folder, note};
use crate::tests;

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid as i32).expect("a process");
    kill_process(pid, signal).expect("it is ours");
}

/// Returns true if the OS process runs, or has not been waited for.
fn is_there(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).expect("/proc")
}

/// Returns the character that the system shows for the state of an OS process.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[multiprocess]
fn stays(folder: PathBuf, name: String) {
    note(&folder, &name);
    loop {
        thread::park();
    }
}

#[multiprocess]
fn has_named_children(folder: PathBuf) {
    note(&folder, "parent");
    parallel!(stays(folder.clone(), "a".into()), stays(folder, "b".into()));
}

#[multiprocess]
fn leaves_a_daemon(folder: PathBuf) {
    spawn(stays(folder.clone(), "daemon".into()).daemon());
    wait_for(&folder, "daemon");
}

fn wait_for(folder: &std::path::Path, name: &str) {
    while !fs::read_to_string(folder.join(name)).is_ok_and(|text| text.ends_with('.')) {
        thread::yield_now();
    }
}

#[multiprocess]
fn counts_when_told(folder: PathBuf) -> u32 {
    note(&folder, "ready");
    wait_for(&folder, "go");
    42
}

#[cfg(feature = "signals")]
#[multiprocess]
fn reads_a_signal(folder: PathBuf) -> String {
    let signals = csp::signals([csp::Signal::TERM]).expect("it may be read");
    note(&folder, "ready");
    signals.read().expect("a signal").to_string()
}

fn started(folder: &Folder) -> (u32, Spawned<()>) {
    let child = spawn(stays(folder.path(), "child".into()));
    (folder.wait("child"), child)
}

#[multiprocess]
fn has_a_group() -> (u32, i32) {
    let group = rustix::process::getpgrp();
    (std::process::id(), group.as_raw_nonzero().get())
}

tests! {
    fn a_child_is_no_part_of_what_a_terminal_sends_signals_to() {
        let ((pid, group),) = parallel!(has_a_group());
        assert_eq!(group as u32, pid);
    }

    fn a_killed_child_is_a_failure_and_no_zombie() {
        let folder = Folder::new();
        let (pid, child) = started(&folder);
        assert!(is_there(pid) && !child.has_ended());
        signal(pid, Signal::KILL);
        let failure = child.try_join().unwrap_err();
        assert_eq!(failure.process(), "law/stays");
        assert!(failure.message().contains("signal: 9 (SIGKILL)"), "{failure:#}");
        assert!(!is_there(pid));
    }

    fn a_terminated_child_is_a_failure() {
        let folder = Folder::new();
        let (pid, child) = started(&folder);
        signal(pid, Signal::TERM);
        let failure = child.try_join().unwrap_err();
        assert!(failure.message().contains("signal: 15 (SIGTERM)"), "{failure:#}");
    }

    #[cfg(feature = "signals")]
    fn a_child_reads_the_signals_that_are_sent_to_it() {
        let folder = Folder::new();
        let child = spawn(reads_a_signal(folder.path()));
        signal(folder.wait("ready"), Signal::TERM);
        assert_eq!(child.join(), "SIGTERM");
    }

    fn a_child_that_is_stopped_goes_on_afterwards() {
        let folder = Folder::new();
        let child = spawn(counts_when_told(folder.path()));
        let pid = folder.wait("ready");
        signal(pid, Signal::STOP);
        while state(pid) != Some('T') {
            thread::yield_now();
        }
        note(&folder.path(), "go");
        assert_eq!(state(pid), Some('T'));
        assert!(!child.has_ended());
        signal(pid, Signal::CONT);
        assert_eq!(child.join(), 42);
    }

    fn a_stopped_child_can_be_killed() {
        let folder = Folder::new();
        let (pid, child) = started(&folder);
        signal(pid, Signal::STOP);
        signal(pid, Signal::KILL);
        assert!(child.try_join().is_err());
    }

    fn a_killed_parent_takes_its_children_with_it() {
        let folder = Folder::new();
        let parent = spawn(has_named_children(folder.path()));
        let pids = ["parent", "a", "b"].map(|name| folder.wait(name));
        assert!(pids.iter().all(|&pid| is_there(pid)));
        signal(pids[0], Signal::KILL);
        assert!(parent.try_join().unwrap_err().message().contains("SIGKILL"));
        // The OS process that inherits them may be slow to wait for them.
        while pids.iter().any(|&pid| state(pid).is_some_and(|state| state != 'Z')) {
            thread::yield_now();
        }
    }

    fn a_daemon_is_not_waited_for_and_ends_with_its_parent() {
        let folder = Folder::new();
        let (_,) = parallel!(leaves_a_daemon(folder.path()));
        let pid = folder.wait("daemon");
        while state(pid).is_some_and(|state| state != 'Z') {
            thread::yield_now();
        }
    }
}
