//! A deadlock that shows only because no thread is awake. Before it, threads that used a channel in some unusual place have
//! ended: `deadlock_after_threads BACKEND WHERE`.

use csp::{Channel, Writer, parallel, process};
use csp_tests::backend;
use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

/// Writes when it is dropped.
struct Last(Writer<u32>, bool);

impl Drop for Last {
    fn drop(&mut self) {
        if self.1 {
            parallel!(writes(self.0.clone()).on(backend()));
        } else {
            self.0.write(1).expect("room");
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[process]
fn writes(output: Writer<u32>) {
    output.write(1).expect("room");
}

#[process]
fn computes(output: Writer<u32>) {
    csp::compute(move || output.write(1).expect("room"));
}

#[process]
fn starts_others(output: Writer<u32>) {
    csp::compute(move || {
        parallel!(writes(output).on(backend()));
    });
}

#[process]
fn calls(output: Writer<u32>) {
    csp::io(move || output.write(1).expect("room"));
}

fn main() {
    let place = std::env::args().nth(2).unwrap_or_default();
    let log = Channel::buffered(100);
    let (input, output) = (log.reader(), log.writer());
    drop(log);
    for _ in 0..5 {
        let output = output.clone();
        match &*place {
            "a destructor" | "a network in a destructor" => {
                let network = place.contains("network");
                let ends = thread::spawn(move || {
                    // It is set first, so it is dropped after all of the library's thread-locals.
                    LAST.set(Some(Last(output.clone(), network)));
                    output.write(1).expect("room");
                });
                ends.join().expect("it ends well");
            }
            "a thread" => thread::spawn(move || output.write(1).expect("room")).join().unwrap(),
            "a computation" => drop(parallel!(computes(output).on(backend()))),
            "a network in a computation" => drop(parallel!(starts_others(output).on(backend()))),
            "a call" => drop(parallel!(calls(output).on(backend()))),
            other => panic!("{other}?"),
        }
    }
    drop(output);
    println!("{}", input.iter().count());
    let never = Channel::<u32>::new();
    // The library can't assign these ends to any process.
    let ends = Arc::new((never.reader(), never.writer()));
    println!("{}", ends.0.read().is_err());
}
