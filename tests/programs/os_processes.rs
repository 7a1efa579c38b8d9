//! Starts children from a `main` that is marked, from one that calls `init`, or from a plain one. Each run of `main` prints a line.

use csp::{multiprocess, parallel};

#[multiprocess]
fn child() -> (u32, Vec<String>) {
    print!("child of {} ", csp::current().path()); // without a line's end: it is not flushed by itself
    (std::process::id(), std::env::args().collect())
}

#[csp::main]
fn marked() {
    work();
}

fn work() {
    println!("main");
    let (children,) = parallel!(2 * child());
    let here = (std::process::id(), std::env::args().collect::<Vec<_>>());
    for (place, arguments) in children {
        assert_ne!(place, here.0);
        assert_eq!(arguments, here.1);
    }
    println!("end");
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("marked") => marked(),
        Some("init") => {
            csp::init();
            work();
        }
        _ => work(),
    }
}
