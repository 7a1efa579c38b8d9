//! Processes with threads of their own that sleep outside of the library, for ever or until another thread goes on. The argument names the way.

use csp::{Backend, Channel, Reader, Writer, parallel, process};
use rayon::prelude::*;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// A time that is long enough to be noticed.
const LONG: Duration = Duration::from_millis(400);

#[process]
fn waits(input: Reader<u32>) -> Option<u32> {
    input.read().ok()
}

/// Waits for a plain thread, which sleeps before it writes.
#[process]
fn joins(out: Writer<u32>, sleep: fn()) {
    let writes = move || {
        sleep();
        out.write(7).unwrap();
    };
    std::thread::spawn(writes).join().unwrap();
}

#[process]
fn computes() -> u32 {
    csp::compute(|| (0..100).into_par_iter().sum())
}

fn alive(sleep: fn()) {
    let channel = Channel::new();
    let (waits, joins) = (waits(channel.reader()), joins(channel.writer(), sleep));
    drop(channel);
    println!("{:?}", parallel!(waits, joins.on(Backend::Thread)).0);
}

fn waits_with_a_deadline() {
    let (never, lock) = (Condvar::new(), Mutex::new(()));
    let waited = never.wait_timeout_while(lock.lock().unwrap(), LONG, |()| true);
    drop(waited);
}

/// Runs a process that uses the library, so that its thread is known, and then sleeps.
fn sleeps_known() {
    let _ = csp::current();
    std::thread::sleep(LONG);
}

#[csp::main]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("sleeps") => alive(|| std::thread::sleep(LONG)),
        Some("sleeps known") => alive(sleeps_known),
        Some("deadline") => alive(waits_with_a_deadline),
        // rayon's only thread waits for a process, which waits for that thread.
        Some("rayon") => {
            let sum = |_| parallel!(computes().on(Backend::Thread)).0;
            println!("{}", (0..2_u32).into_par_iter().map(sum).sum::<u32>());
        }
        other => panic!("no such way: {other:?}"),
    }
}
