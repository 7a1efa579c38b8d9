//! Closures as processes, without a warning.

#![deny(warnings)]
#![forbid(unsafe_code)]

use csp::{Channel, Process, parallel, process, process_async};

/// A newcomer's program, and no function in it is a process.
fn passes() {
    let channel = Channel::new();
    let (writer, reader) = (channel.writer(), channel.reader());
    let (written, read) = parallel!(process(move || writer.write(1)), process(move || reader.read()));
    assert_eq!((written, read), (Ok(()), Ok(1)));
}

/// The type of such a process has a name if the closure captures nothing.
fn returned() -> Process<fn() -> u8, u8> {
    process(|| 7)
}

#[csp::main]
fn main() {
    passes();
    let text = String::from("moved");
    let (number, lengths, copies) = parallel!(
        returned().named("seven"),
        process_async(async move || text.len()),
        2 * process(|| 'x').stack(64 << 10),
    );
    assert_eq!((number, lengths, copies), (7, 5, vec!['x', 'x']));
}
