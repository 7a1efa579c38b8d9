//! Children that write to standard error: whole lines, a line without an end, the message of an overflow.

use csp::{multiprocess, parallel, try_parallel};

#[multiprocess]
fn logs(letter: String, lines: usize) {
    let line = letter.repeat(99);
    for _ in 0..lines {
        // This macro writes the line in two pieces.
        eprintln!("{line}");
    }
}

#[multiprocess]
fn does_not_end_its_line() {
    eprint!("no end");
}

#[multiprocess]
fn descends() -> u64 {
    #[allow(unconditional_recursion)]
    fn descend(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        descend(depth + 1) + frame[3]
    }
    descend(0)
}

fn overflow() {
    let failure = try_parallel!(descends()).expect_err("a stack has an end");
    println!("{failure:#}");
}

#[csp::main]
fn marked() {
    overflow();
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("lines") => {
            parallel!(logs("a".into(), 1000), logs("b".into(), 1000), logs("c".into(), 1000));
        }
        Some("unended") => {
            parallel!(does_not_end_its_line());
            parallel!(ends_its_line());
        }
        Some("overflows") => marked(),
        _ => overflow(),
    }
}

#[multiprocess]
fn ends_its_line() {
    eprintln!("another");
}
