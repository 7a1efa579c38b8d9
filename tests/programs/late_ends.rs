//! Makes ends of a channel after the last end of their side has gone, in a loop, and also some that it may make.

use csp::{Channel, Writer, parallel, process};
use csp_tests::backend;

#[process]
fn answers(out: Writer<u32>) {
    drop(out);
}

#[csp::main]
fn main() {
    let channel = Channel::new().named("answers");
    let reader = channel.reader();
    for _ in 0..3 {
        parallel!(answers(channel.writer()).on(backend()));
    }
    // This one learns how the channel has ended.
    assert!(channel.reader().read().is_err());
    if let Some(retirement) = reader.retirement() {
        println!("{retirement}");
        println!("{}", csp::network());
    }
}
