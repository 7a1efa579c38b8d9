//! Processes that wait for ever inside `compute` and `io`, in the way that the argument names. The library can't assign the ends that they
//! wait for to any process, so the deadlock shows only because no thread is awake.

use csp::{Channel, Process, Reader, Writer, parallel, process, try_parallel};
use rayon::prelude::*;
use std::sync::Mutex;

static ENDS: Mutex<Vec<Writer<u32>>> = Mutex::new(Vec::new());

/// Returns a reader that waits for ever.
fn never() -> Reader<u32> {
    let channel = Channel::new();
    ENDS.lock().unwrap().push(channel.writer());
    channel.reader()
}

#[process]
fn in_io(input: Reader<u32>) -> bool {
    csp::io(|| input.read().is_ok())
}

#[process]
fn in_compute(input: Reader<u32>) -> bool {
    csp::compute(|| input.read().is_ok())
}

/// Waits in the parts of a loop, which are more than the threads.
#[process]
fn in_a_loop(inputs: Vec<Reader<u32>>) -> bool {
    csp::compute(|| inputs.par_iter().all(|input| input.read().is_ok()))
}

#[process]
fn in_a_part(input: Reader<u32>) -> bool {
    csp::compute(|| rayon::join(|| input.read().is_ok(), || (0..1000).sum::<u32>()).0)
}

#[process]
fn in_a_network(input: Reader<u32>) -> bool {
    csp::compute(|| parallel!(reads(input.clone()), 2 * in_compute(input)).0)
}

#[process]
fn reads(input: Reader<u32>) -> bool {
    input.read().is_ok()
}

fn end<A: Send + 'static>(processes: impl IntoIterator<Item = Process<A, bool>>) {
    let processes: Vec<_> = processes.into_iter().collect();
    println!("{:?}", try_parallel!(processes).map(|(read,)| read));
}

#[csp::main]
fn main() {
    let crowd = 2 * std::thread::available_parallelism().map_or(4, usize::from);
    match std::env::args().nth(1).as_deref() {
        Some("io") => end([in_io(never())]),
        Some("compute") => end([in_compute(never())]),
        Some("crowd") => end(crowd * in_compute(never())),
        Some("loop") => end([in_a_loop((0..crowd).map(|_| never()).collect())]),
        Some("part") => end([in_a_part(never())]),
        Some("network") => end([in_a_network(never())]),
        other => panic!("no such way: {other:?}"),
    }
    println!("{} ends", ENDS.lock().unwrap().len());
}
