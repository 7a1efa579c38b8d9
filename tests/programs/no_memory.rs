//! A network without any memory left for it, and then a network with enough memory. Run it with little address space.

use csp::{process, try_parallel};

#[process]
fn gives(n: u32) -> u32 {
    n
}

fn run(n: u32) {
    match try_parallel!(gives(n).stack(4 << 20)) {
        Ok((n,)) => println!("{n}"),
        Err(failure) => println!("{failure:#}"),
    }
}

/// Overwrites the stack frame of a wait that has ended.
#[inline(never)]
fn scribble() {
    std::hint::black_box([0x41_u8; 60_000]);
}

fn main() {
    // The message about the failure needs some memory. It is less than a stack.
    let spare: Vec<u8> = Vec::with_capacity(3 << 18);
    let mut all: Vec<Vec<u8>> = Vec::with_capacity(10_000);
    for size in [64 << 20, 8 << 20, 1 << 20, 256 << 10] {
        loop {
            let mut some = Vec::new();
            if all.len() == all.capacity() || some.try_reserve_exact(size).is_err() {
                break;
            }
            all.push(some);
        }
    }
    drop(spare);
    run(1);
    drop(all);
    scribble();
    run(2);
}
