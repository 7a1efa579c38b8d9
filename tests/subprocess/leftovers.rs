//! Nothing is left of children that have ended. Many of them run at once.

use std::fs;
use std::thread;

use csp::{Channel, Writer, multiprocess, parallel, spawn, try_parallel};
use csp_tests::{Counting, held_by_all};

use crate::{here, tests};

#[global_allocator]
static COUNTING: Counting = Counting;

#[multiprocess]
fn place() -> u32 {
    here()
}

#[multiprocess]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[multiprocess]
fn dies() {
    std::process::abort()
}

#[multiprocess]
fn gives(value: u32, out: Writer<u32>) {
    out.write(value).expect("a reader");
}

/// Checks that nothing is left of a child from which this process has read. The reader has looked into the child's memory, and
/// no thread here looks there later.
#[multiprocess]
fn counts_what_a_reader_leaves() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("/proc").count();
    // A process that waits for the end of a child looks into its memory until then, and then releases it.
    let ended = || {
        parallel!(place());
        descriptors()
    };
    let first = (0..10).map(|_| ended()).min().expect("some");
    for value in 0..20 {
        let channel = Channel::new();
        let input = channel.reader();
        let gives = spawn(gives(value, channel.writer()));
        drop(channel);
        assert_eq!(input.read(), Ok(value));
        while !gives.has_ended() {
            thread::yield_now();
        }
        gives.join();
        // The thread that represents the child in the parent still has to end.
        while descriptors() > first {
            thread::yield_now();
        }
    }
}

/// Runs in another program with these tests' code, so that it counts only its own resources.
#[multiprocess]
fn counts_what_is_left() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("/proc").count();
    let threads = || fs::read_dir("/proc/self/task").expect("/proc").count();
    let shared = || {
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
        maps.lines().filter(|line| line.contains("memfd:")).count()
    };
    let work = || {
        let (places, echoed) = parallel!(8 * place(), echo(vec![7; 1 << 18]));
        assert!(places.len() == 8 && echoed.len() == 1 << 18);
        assert!(try_parallel!(2 * dies(), place()).is_err());
        drop(spawn(place()));
        csp::shutdown();
    };
    // Things that are made once stay: tables, and the reaper, which is the thread that watches over children.
    for _ in 0..3 {
        work();
    }
    let (before, mapped, held) = ((descriptors(), threads()), shared(), held_by_all());
    let mut rounds = Vec::new();
    for _ in 0..24 {
        let held_before = held_by_all();
        work();
        rounds.push(held_by_all() - held_before);
    }
    // The library remembers of each of 12 children that it is dead, and why. That takes some 400 bytes a child. The median leaves
    // out tables that grow, and a receive buffer that a thread releases late.
    rounds.sort_unstable();
    assert!(rounds[rounds.len() / 2] < 12 * 700, "{rounds:?}");
    // All rounds together held 542,000 bytes beside compilers, because tables and buffers that are made once count here.
    let more = || held_by_all() - held;
    // The system needs a moment to remove threads from its list, and the threads need one to release their resources.
    while descriptors() > before.0 || threads() > before.1 || shared() > mapped || more() >= 1 << 20
    {
        thread::yield_now();
    }
}

tests! {
    fn two_hundred_children_at_once() {
        let (mut places,) = parallel!(200 * place());
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 200);
    }

    fn nothing_of_a_child_that_was_read_from_is_kept() {
        parallel!(counts_what_a_reader_leaves());
    }

    fn descriptors_threads_and_memory_are_back_to_where_they_were() {
        parallel!(counts_what_is_left());
    }
}
