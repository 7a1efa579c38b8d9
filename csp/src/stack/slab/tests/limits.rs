//! The engine when there are no more stacks.
#![allow(unsafe_code)]

use super::program::{self, said, this_test};
use super::{SIZE, create, ends, fiber, page, resume_all};
use crate::stack::slab::NoStack;

#[test]
fn at_the_limit_of_mappings_there_is_an_error_and_the_program_goes_on() {
    let environment = [("CSP_GUARDS", "mprotect")];
    let output = program::run(this_test!(), &environment, || {
        let mut fibers = Vec::new();
        let error = loop {
            match create(SIZE, |suspender| suspender.suspend()) {
                Ok(fiber) => fibers.push(fiber),
                Err(error) => break error,
            }
        };
        resume_all(&fibers);
        eprintln!("{} live: {error}", fibers.len());
        // There is room for the program's own mappings.
        let threads: Vec<_> =
            (0..64).map(|_| std::thread::spawn(|| vec![1u8; 1 << 20].len())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
        // A stack that is freed is available again.
        resume_all(&fibers);
        drop(fibers);
        ends(fiber(|_| ()));
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("vm.max_map_count"), "{}", said(&output));
}

#[test]
fn with_little_address_space_there_are_fewer_stacks_and_an_error() {
    let output = program::run(this_test!(), &[], || {
        let limit = libc::rlimit { rlim_cur: 4 << 30, rlim_max: 4 << 30 };
        // SAFETY: sets a limit of this program.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
        let mut fibers = Vec::new();
        let error = loop {
            match create(256 << 10, |_| ()) {
                Ok(fiber) => fibers.push(fiber),
                Err(error) => break error,
            }
        };
        assert!(fibers.len() > 4_000, "{}", fibers.len());
        assert!(matches!(error, NoStack::Memory(_)));
        resume_all(&fibers);
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", said(&output));
}

/// An emulator keeps a table of what is reserved, and a limit on address space counts it.
#[test]
fn few_stacks_reserve_little_and_more_are_had_by_growing() {
    let output = program::run(this_test!(), &[], || {
        let before = address_space();
        let few: Vec<_> =
            (0..16).map(|_| create(256 << 10, |_| ()).expect("there are stacks")).collect();
        let reserved = address_space() - before;
        assert!(reserved < 64 << 20, "{reserved}");
        let many: Vec<_> =
            (0..4_000).map(|_| create(256 << 10, |_| ()).expect("there are stacks")).collect();
        let reserved = address_space() - before;
        assert!((1 << 30..4 << 30).contains(&reserved), "{reserved}");
        resume_all(&few);
        resume_all(&many);
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", said(&output));
}

fn address_space() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: usize = pages.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    pages * page()
}
