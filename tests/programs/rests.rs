//! A network that waits for input, in which nothing happens. With the first line of input, two of its processes wait for one another
//! for ever, though none of them is woken by that.

use csp::{Channel, Reader, Writer, process, try_parallel};
use std::io::stdin;

/// Waits for what the other one would write, if it had anything to do.
#[process]
fn waits(input: Reader<u32>, output: Writer<u32>) -> csp::Result {
    let value = input.read()?;
    output.write(value)?;
    Ok(())
}

/// Reads two lines. The end goes with the first one.
#[process]
fn reads(output: Writer<u32>) {
    csp::io(move || {
        println!("reads");
        stdin().read_line(&mut String::new()).expect("a line");
        drop(output);
        stdin().read_line(&mut String::new()).expect("the end");
    });
}

#[csp::main]
fn main() {
    let (here, there) = (Channel::new(), Channel::new());
    let ended = try_parallel!(
        waits(here.reader(), there.writer()).named("one"),
        waits(there.reader(), here.writer()).named("other"),
        reads(here.writer()),
    );
    println!("{}", ended.is_err());
}
