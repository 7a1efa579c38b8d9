//! A program that waits, and does nothing else. The argument is `publish`, the address that such a program has published, or `stuck`.

use csp::{Channel, Reader};

fn say(line: impl std::fmt::Display) {
    println!("said: {line}");
}

#[csp::main]
fn main() {
    match std::env::args().nth(1).expect("an argument").as_str() {
        "publish" => publishes(),
        "stuck" => is_stuck(),
        address => connects(address),
    }
}

/// Waits for visitors, and writes what they say to the program that has connected.
fn publishes() {
    let (visits, letters) = (Channel::<String>::new(), Channel::<String>::new());
    let visited = csp::publish("127.0.0.1:0/visits", visits.writer()).expect("a place");
    let written = csp::publish("127.0.0.1:0/letters", letters.reader()).expect("a place");
    say(format!("{} {}", visited.address(), written.address()));
    let (visits, letters) = (visits.reader(), letters.writer());
    visits.iter().for_each(|line| letters.write(line).expect("a reader"));
}

/// Waits for letters.
fn connects(address: &str) {
    let letters: Reader<String> = csp::connect(address).expect("a program that publishes");
    say("connected");
    letters.iter().for_each(say);
}

/// Reads from a channel whose only writer is its own.
fn is_stuck() {
    let channel = Channel::<u32>::new();
    say("stuck");
    let writer = channel.writer();
    if let Ok(number) = channel.reader().read() {
        say(number);
    }
    drop(writer);
}
