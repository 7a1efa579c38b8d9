//! Nothing is left of children that have ended; many of them are there at once.

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

/// Who has read from a child has looked into its memory; after that nobody here looks for any.
#[multiprocess]
fn counts_what_a_reader_leaves() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("/proc").count();
    // Who waits for a child's end looks there until it comes, and lets go then.
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
        // What stood for the child has still to go.
        while descriptors() > first {
            thread::yield_now();
        }
    }
}

/// Another program with these tests' own code, so that it counts what is its own.
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
    // What is made once stays: the warden, tables.
    for _ in 0..3 {
        work();
    }
    let (before, mapped, held) = ((descriptors(), threads()), shared(), held_by_all());
    for _ in 0..24 {
        work();
    }
    // Of each of 288 children it is remembered that it is dead, and why, in some 500 bytes; two kilobytes would show. And
    // who began to receive only after the first look has the 212,448 bytes that ipc-channel takes for what may come.
    let more = || held_by_all() - held;
    // The system takes a moment to take threads off its list, and those to give back what they had.
    while descriptors() > before.0
        || threads() > before.1
        || shared() > mapped
        || more() >= 450 << 10
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
