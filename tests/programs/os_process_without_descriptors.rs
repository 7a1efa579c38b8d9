//! Starts more children than it has descriptors for. All of them stay until the failed ones are counted.

use csp::{Channel, Reader, Writer, alt, multiprocess, spawn, try_parallel};
use std::time::Duration;

const CHILDREN: usize = 40;

#[multiprocess(on_panic = retire)]
fn stays(there: Writer<()>, go: Reader<()>) -> csp::Result {
    there.write(())?;
    go.read()
}

#[multiprocess]
fn idle() {}

#[csp::main]
fn main() {
    let (there, go) = (Channel::new(), Channel::<()>::new());
    let children = spawn(CHILDREN * stays(there.writer(), go.reader()));
    let (tells, go) = (there.reader(), go.writer());
    let mut stay = 0;
    while stay + children.iter().filter(|child| child.has_ended()).count() < CHILDREN {
        stay += alt! { _ = tells.read() => 1, after(Duration::from_millis(1)) => 0 }.unwrap();
    }
    go.retire();
    let failures: Vec<_> =
        children.into_iter().filter_map(|child| child.try_join().err()).collect();
    assert!(!failures.is_empty());
    for failure in &failures {
        println!("{failure:#}");
    }
    // The children that did start have given their descriptors back.
    try_parallel!(2 * idle()).unwrap();
}
