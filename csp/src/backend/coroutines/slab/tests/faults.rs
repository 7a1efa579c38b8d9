//! What comes of an overflow, and of other faults.
#![allow(unsafe_code)]

use std::hint::black_box;

use super::program::{self, killed_by, said, this_test};
use super::{SIZE, ends, fiber};
use crate::backend::slab::{overflow, stacks};

/// Calls itself until there is no more stack.
#[inline(never)]
fn descend(depth: usize) -> usize {
    let frame = black_box([depth; 16]);
    if depth == usize::MAX { 0 } else { black_box(descend(depth + 1)) + frame[depth % 16] }
}

#[test]
fn overflow_names_the_process_and_aborts() {
    for guards in ["", "mprotect"] {
        let output = program::run(this_test!(), &[("CSP_GUARDS", guards)], || {
            overflow::name_by(|out| write!(out, "main/worker[{}]", 3));
            ends(fiber(|_| assert_ne!(descend(0), 1)));
        });
        let Some(output) = output else { return };
        assert_eq!(killed_by(&output), Some(libc::SIGABRT), "{}", said(&output));
        assert!(
            said(&output)
                .contains("the process `main/worker[3]` has overflowed its stack of 64 KiB\n"),
            "{}",
            said(&output)
        );
        assert!(
            said(&output).contains("`#[process(stack = \"128 KiB\")]`, or `.stack(131072)`"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn overflow_is_noticed_on_a_thread_with_no_alternate_stack_of_its_own() {
    let output = program::run(this_test!(), &[], || {
        extern "C" fn run(_: *mut libc::c_void) -> *mut libc::c_void {
            ends(fiber(|_| assert_ne!(descend(0), 1)));
            std::ptr::null_mut()
        }
        // SAFETY: a thread that Rust's library did not start, which only runs `run`.
        unsafe {
            let mut thread = std::mem::zeroed();
            libc::pthread_create(&mut thread, std::ptr::null(), run, std::ptr::null_mut());
            libc::pthread_join(thread, std::ptr::null_mut());
        }
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGABRT), "{}", said(&output));
    assert!(said(&output).contains("overflowed its stack of 64 KiB"), "{}", said(&output));
}

#[test]
fn overflow_of_a_thread_is_still_reported_by_rust() {
    let output = program::run(this_test!(), &[], || {
        ends(fiber(|_| ()));
        let thread = std::thread::Builder::new().name("deep".into()).spawn(|| {
            ends(fiber(|_| ()));
            black_box(descend(0))
        });
        let _ = thread.expect("a thread").join();
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGABRT), "{}", said(&output));
    assert!(
        said(&output).contains("thread 'deep'")
            && said(&output).contains("has overflowed its stack"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_stray_pointer_ends_the_program_as_it_would_without_us() {
    let output = program::run(this_test!(), &[], || {
        // SAFETY: none; the program is to end here.
        ends(fiber(|_| unsafe {
            std::ptr::without_provenance_mut::<u8>(black_box(8)).write_volatile(1)
        }));
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGSEGV), "{}", said(&output));
}

#[test]
fn a_stray_pointer_to_a_guard_is_not_called_an_overflow() {
    let output = program::run(this_test!(), &[], || {
        let other = stacks::take(SIZE).expect("there are stacks");
        let guard = std::ptr::with_exposed_provenance_mut::<u8>(other.start());
        // SAFETY: none; the program is to end here.
        unsafe { guard.write_volatile(1) };
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGSEGV), "{}", said(&output));
    assert!(!said(&output).contains("overflowed"), "{}", said(&output));
}

#[test]
fn a_fault_goes_to_the_handler_that_was_there_before() {
    extern "C" fn theirs(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: what a handler with SA_SIGINFO gets; it ends the program at once.
        unsafe { libc::_exit(if (*info).si_addr().addr() == 16 { 77 } else { 78 }) };
    }
    let output = program::run(this_test!(), &[], || {
        // SAFETY: a handler that only ends the program; then a fault on purpose.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = theirs as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
            ends(fiber(|_| {
                std::ptr::without_provenance_mut::<u8>(black_box(16)).write_volatile(1)
            }));
        }
    });
    let Some(output) = output else { return };
    assert_eq!(output.status.code(), Some(77), "{}", said(&output));
}

#[test]
fn a_fault_signal_that_was_sent_ends_the_program() {
    let output = program::run(this_test!(), &[], || {
        // SAFETY: sets back what Rust's library has set up, which lets the first such signal pass; then sends
        // one.
        unsafe {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
            ends(fiber(|_| ()));
            libc::raise(libc::SIGBUS);
        }
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGBUS), "{}", said(&output));
}
