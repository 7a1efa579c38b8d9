//! The effects of an overflow, and of other faults.
#![allow(unsafe_code)]

use std::hint::black_box;

use super::program::{self, killed_by, said, this_test};
use super::{SIZE, ends, fiber};
use crate::stack::slab::region::StackSlot;
use crate::stack::slab::{overflow, stacks};

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

/// Acts as a function of C, compiled without `-fstack-clash-protection`. It has a frame of this
/// many bytes and touches its lower end.
#[inline(never)]
fn large_frame(bytes: usize) {
    // SAFETY: the stack pointer is back at its place before other code uses it. The byte that is
    // touched lies below it, in an unused part of this stack or in the guard.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "mov {before}, rsp",
            "sub rsp, {bytes}",
            "mov byte ptr [rsp], 1",
            "mov rsp, {before}",
            bytes = in(reg) bytes,
            before = out(reg) _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "mov {before}, sp",
            "sub {below}, {before}, {bytes}",
            "mov sp, {below}",
            "strb wzr, [{below}]",
            "mov sp, {before}",
            bytes = in(reg) bytes,
            before = out(reg) _,
            below = out(reg) _,
        );
    }
}

/// Goes down until little of the stack is left, and less than the frame takes.
#[inline(never)]
fn descend_and_call(bytes: usize) -> usize {
    let frame = black_box([bytes; 16]);
    let here = (&raw const frame).addr();
    let left = here - StackSlot::at(here).expect("on a stack of ours").floor();
    if left < 6 << 10 {
        large_frame(bytes);
        return 0;
    }
    black_box(descend_and_call(bytes)) + frame[left % 16]
}

#[test]
fn a_frame_that_is_not_probed_does_not_jump_the_guard() {
    for guards in ["", "mprotect"] {
        for bytes in [8 << 10, 16 << 10, 64 << 10] {
            let environment = [("CSP_GUARDS", guards), ("BYTES", &bytes.to_string())];
            let output = program::run(this_test!(), &environment, || {
                overflow::name_by(|out| write!(out, "main/calls_c"));
                let bytes = std::env::var("BYTES").expect("it was set");
                let bytes = bytes.parse().expect("a number");
                // There is a neighbour on each side, so a fault would touch its memory.
                let others = [stacks::take(SIZE), stacks::take(SIZE)];
                ends(fiber(move |_| assert_ne!(descend_and_call(bytes), 1)));
                drop(others);
            });
            let Some(output) = output else { return };
            assert_eq!(killed_by(&output), Some(libc::SIGABRT), "{bytes}: {}", said(&output));
            assert!(said(&output).contains("`main/calls_c` has overflowed"), "{}", said(&output));
        }
    }
}

#[test]
fn overflow_is_noticed_on_a_thread_with_no_alternate_stack_of_its_own() {
    let output = program::run(this_test!(), &[], || {
        extern "C" fn run(_: *mut libc::c_void) -> *mut libc::c_void {
            ends(fiber(|_| assert_ne!(descend(0), 1)));
            std::ptr::null_mut()
        }
        // SAFETY: a thread that Rust's library did not start, and that only runs `run`.
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
        // SAFETY: none. The program is to end here.
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
        // SAFETY: none. The program is to end here.
        unsafe { guard.write_volatile(1) };
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGSEGV), "{}", said(&output));
    assert!(!said(&output).contains("overflowed"), "{}", said(&output));
}

#[test]
fn a_fault_goes_to_the_handler_that_was_there_before() {
    extern "C" fn theirs(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the arguments of a handler with SA_SIGINFO. It ends the program at once.
        unsafe { libc::_exit(if (*info).si_addr().addr() == 16 { 77 } else { 78 }) };
    }
    let output = program::run(this_test!(), &[], || {
        // SAFETY: a handler that only ends the program, and then a fault on purpose.
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
        // SAFETY: sets back the action that Rust's library has set up and that lets the first such
        // signal pass. Then it sends one.
        unsafe {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
            ends(fiber(|_| ()));
            libc::raise(libc::SIGBUS);
        }
    });
    let Some(output) = output else { return };
    assert_eq!(killed_by(&output), Some(libc::SIGBUS), "{}", said(&output));
}
