//! Networks over two hosts. A host is this machine once more: `env` starts a host process.

use super::{Case, clean_once, deadlock};
use csp::{Channel, Hosts, Reader, Writer, multiprocess, parallel, spawn};
use csp_tests::Placement;

pub(crate) const CASES: &[Case] = &[
    deadlock(
        "hosts_wait_for_each_other",
        hosts_wait_for_each_other,
        &["reads@node1", "reads@node2"],
    ),
    clean_once("hosts_serve_each_other", hosts_serve_each_other),
];

/// Reads before it writes.
#[multiprocess]
fn reads(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    let value = input.read()?;
    Ok(output.write(value + 1)?)
}

fn host(name: &str) -> Hosts {
    Hosts::command(["env"]).named(name)
}

fn hosts_wait_for_each_other(_: &Placement) {
    let (a, b) = (Channel::new().named("a"), Channel::new().named("b"));
    let _ = parallel!(
        reads(a.reader(), b.writer()).at(&host("node1")),
        reads(b.reader(), a.writer()).at(&host("node2")),
    );
}

fn hosts_serve_each_other(_: &Placement) {
    let (a, b, c) = (Channel::new(), Channel::new(), Channel::new());
    let (to, from) = (a.writer(), c.reader());
    let first = spawn(reads(a.reader(), b.writer()).at(&host("node1")));
    let second = spawn(reads(b.reader(), c.writer()).at(&host("node2")));
    // The watch looks while all wait for a value that comes.
    csp::sleep(std::time::Duration::from_millis(200));
    to.write(1).unwrap();
    assert_eq!(from.read(), Ok(3));
    assert_eq!((first.join(), second.join()), (Ok(()), Ok(())));
}
