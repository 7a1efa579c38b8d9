//! Nothing is left of children that have ended; many of them are there at once.

use std::fs;
use std::thread;

use csp::{multiprocess, parallel, spawn, try_parallel};

use crate::{here, tests};

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

/// Another program with these tests' own code, so that it counts what is its own.
#[multiprocess]
fn counts_what_is_left() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("/proc").count();
    let threads = || fs::read_dir("/proc/self/task").expect("/proc").count();
    let mappings = || fs::read_to_string("/proc/self/maps").expect("/proc").lines().count();
    let resident = || {
        let status = fs::read_to_string("/proc/self/statm").expect("/proc");
        status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
    };
    let work = || {
        let (places, echoed) = parallel!(8 * place(), echo(vec![7; 1 << 18]));
        assert!(places.len() == 8 && echoed.len() == 1 << 18);
        assert!(try_parallel!(2 * dies(), place()).is_err());
        drop(spawn(place()));
        csp::shutdown();
    };
    // What is made once stays: the warden, the allocator's arenas.
    for _ in 0..3 {
        work();
    }
    let (before, pages) = ((descriptors(), threads()), resident());
    for _ in 0..10 {
        work();
    }
    // The system takes a moment to take threads off its list.
    while (descriptors(), threads()) > before || descriptors() > before.0 {
        thread::yield_now();
    }
    // An arena of the allocator is some mappings, and each of ten thousand pages may stay; what grows with children does not.
    assert!(resident() < pages + 1000, "{} pages, {pages} before", resident());
    assert!(mappings() < 1000);
}

tests! {
    fn two_hundred_children_at_once() {
        let (mut places,) = parallel!(200 * place());
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 200);
    }

    fn descriptors_threads_and_memory_are_back_to_where_they_were() {
        parallel!(counts_what_is_left());
    }
}
