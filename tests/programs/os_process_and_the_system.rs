//! OS processes under tight limits of the system, and the limits that other programs get if they start meanwhile.

use std::process::Command;

use csp::{Channel, Reader, SharedBuf, Writer, multiprocess, spawn, try_parallel};

#[multiprocess]
fn works(n: u32) -> u32 {
    n + 1
}

#[multiprocess]
fn length(buffer: SharedBuf) -> usize {
    buffer.len()
}

#[multiprocess]
fn stays(there: Writer<()>, go: Reader<()>) -> bool {
    there.write(()).is_ok() && go.read().is_err()
}

/// Returns the output of a program that is started now.
fn program(text: &str) -> String {
    let output = Command::new("sh").args(["-c", text]).output().expect("a shell");
    String::from_utf8(output.stdout).expect("text").split_whitespace().collect::<Vec<_>>().join(" ")
}

const LIMIT: &str = "ulimit -Sn";
const DESCRIPTORS: &str = "ls /proc/self/fd";

/// Starts children, and shows the limits of a program that is started while they run.
fn show(children: usize, text: &str) {
    let (there, go) = (Channel::new(), Channel::<()>::new());
    let all = spawn(children * stays(there.writer(), go.reader()));
    let (tells, end) = (there.reader(), go.writer());
    (0..children).for_each(|_| tells.read().expect("a child"));
    println!("{children}: {}", program(text));
    drop((end, go));
    assert!(all.into_iter().all(|child| child.join()));
}

#[csp::main(leaks = allow)]
fn main() {
    match &*std::env::args().nth(1).expect("what to show") {
        "limit" => {
            show(1, LIMIT);
            // These are more children than there is room for.
            let (there, go) = (Channel::new(), Channel::<()>::new());
            let all = spawn(40 * stays(there.writer(), go.reader()));
            let (tells, end) = (there.reader(), go.writer());
            (0..40).for_each(|_| tells.read().expect("a child"));
            drop((end, go));
            assert!(all.into_iter().all(|child| child.join()));
            show(1, LIMIT);
        }
        "descriptors" => {
            println!("0: {}", program(DESCRIPTORS));
            let buffer = SharedBuf::new(1 << 20).expect("memory");
            assert_eq!(try_parallel!(length(buffer.clone())).expect("a length"), (1 << 20,));
            show(5, DESCRIPTORS);
            drop(buffer);
        }
        _ => {
            match try_parallel!(works(1)) {
                Ok((n,)) => println!("works: {n}"),
                Err(failure) => println!("works: {failure:#}"),
            }
            match SharedBuf::new(1 << 20) {
                Ok(buffer) => println!("buffer: {}", buffer.len()),
                Err(error) => println!("buffer: {error}"),
            }
        }
    }
}
