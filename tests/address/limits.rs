//! The most that a program may have waiting at another one.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use csp::{Cause, Channel, Writer};

use crate::programs::{Program, lines, say};

/// The most operations of one program that wait at another one.
const MOST_OPERATIONS: usize = 65_536;

/// The value comes back with an error that names the limit. The connection goes on, and there is room again once something was read.
#[test]
fn a_write_beyond_the_limit_of_operations_gives_its_value_back() {
    let mut shut = Program::start("shut", "");
    let mut many = Program::start("many", &shut.hear());
    let error = many.hear();
    assert!(error.starts_with("one too many came back: "), "{error}");
    assert!(error.contains("65,536 operations of this program wait"), "{error}");
    shut.tell("read");
    shut.hears("read 0");
    many.tell("again");
    many.hears("there is room");
}

/// Publishes a channel, and reads one value for each line of its input.
pub(crate) fn shut() {
    let letters = Channel::<String>::new();
    let published = csp::publish("127.0.0.1:0/letters", letters.writer()).expect("a place");
    say(published.address());
    let reader = letters.reader();
    for _ in lines() {
        say(format!("read {}", reader.read().expect("a letter")));
    }
}

/// Begins to write as much as it may, and one value more.
pub(crate) fn many(address: &str) {
    let letters: Writer<String> = csp::connect(address).expect("a place");
    let mut context = Context::from_waker(Waker::noop());
    let mut writes: Vec<_> =
        (0..MOST_OPERATIONS).map(|n| Box::pin(letters.write_async(n.to_string()))).collect();
    for write in &mut writes {
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    let error = letters.write("one too many".to_owned()).expect_err("no room");
    let poison = error.termination.poison().expect("a cause").clone();
    assert!(matches!(poison.cause(), Cause::Serialization { .. }), "{poison:?}");
    say(format!("{} came back: {}", error.into_inner(), poison.cause()));
    // The channel is as it was.
    assert_eq!(letters.termination(), None);
    lines().next();
    let mut first = writes.remove(0);
    // The news that it was read may be on its way.
    let written = loop {
        match first.as_mut().poll(&mut context) {
            Poll::Ready(written) => break written,
            Poll::Pending => thread::yield_now(),
        }
    };
    assert!(written.is_ok(), "{written:?}");
    let mut last = pin!(letters.write_async("there is room".to_owned()));
    assert!(last.as_mut().poll(&mut context).is_pending());
    say("there is room");
    lines().for_each(drop);
}
