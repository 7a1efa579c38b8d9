//! Tells valgrind of the stacks, because it takes a jump of the stack pointer for a huge frame if
//! it does not know them.
#![allow(unsafe_code)]

use std::sync::OnceLock;

use super::stack::Stack;

const RUNNING_ON_VALGRIND: u64 = 0x1001;
const STACK_REGISTER: u64 = 0x1501;

/// Returns whether the program runs under valgrind.
pub(super) fn is_running() -> bool {
    static RUNNING: OnceLock<bool> = OnceLock::new();
    *RUNNING.get_or_init(|| request([RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) != 0)
}

/// Tells valgrind of a stack, once and for ever, because its slot is never used for anything else.
pub(super) fn register(stack: &Stack) {
    request([STACK_REGISTER, stack.start() as u64, stack.end() as u64, 0, 0, 0]);
}

/// Makes a client request, as valgrind.h does: instructions that do nothing, in an order that no
/// compiler prints. Returns 0 without valgrind.
///
/// corosensei has the same function, but it is private. For aarch64 its rotations are in another
/// order than valgrind knows.
fn request(arguments: [u64; 6]) -> u64 {
    let answer: u64;
    // SAFETY: rotations by two whole words in all, and an exchange of a register with itself.
    // valgrind reads the arguments and writes the answer.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            inout("rdx") 0u64 => answer,
            in("rax") arguments.as_ptr(),
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            inout("x3") 0u64 => answer,
            in("x4") arguments.as_ptr(),
            options(nostack),
        );
    }
    answer
}
