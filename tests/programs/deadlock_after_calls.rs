//! A deadlock that shows only because no thread is awake. It is found although threads that have made calls wait for others, and
//! it is not found while a call is in progress.

use csp::{Channel, Reader, Writer, process, try_parallel};
use csp_tests::backend;
use std::sync::Mutex;
use std::time::Duration;

/// An end that the library can't assign to any process.
static END: Mutex<Option<Writer<u32>>> = Mutex::new(None);

#[process]
fn reads(input: Reader<u32>) -> csp::Result<u32> {
    // This is longer than the watch waits before it judges.
    csp::io(|| std::thread::sleep(Duration::from_millis(50)));
    csp::compute(|| std::thread::sleep(Duration::from_millis(50)));
    let call = csp::io::Call::new(|| std::thread::sleep(Duration::from_millis(50)));
    csp::alt! { io(call) => (), _ = input.read() => panic!("nobody writes") }?;
    println!("after the calls");
    input.read()
}

#[csp::main]
fn main() {
    let channel = Channel::new();
    *END.lock().unwrap() = Some(channel.writer());
    let reader = reads(channel.reader()).on(backend());
    let failure = try_parallel!(reader).expect_err("nobody writes");
    println!("{}", if failure.deadlock().is_some() { "a deadlock" } else { "something else" });
}
