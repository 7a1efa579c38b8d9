//! Where there are no more stacks.
#![allow(unsafe_code)]

use super::program::{self, said, this_test};
use super::{SIZE, create, ends, fiber, resume_all};
use crate::backend::slab::NoStack;

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
        // And a stack that is freed is a stack that is to be had.
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
