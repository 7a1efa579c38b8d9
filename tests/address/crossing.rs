//! The channel ends and buffers that may go from one program to another, and those that may not.

use csp::{Channel, Reader, SharedBuf, Writer};
use serde::{Deserialize, Serialize};

use crate::members::room;
use crate::programs::{Program, Said, lines, say};

/// A value that may be a shared buffer.
#[derive(Serialize, Deserialize)]
enum Lent {
    Buffer(SharedBuf),
    Bytes(Vec<u8>),
}

/// The end of one channel goes to two programs, each by its own connection.
#[test]
fn an_end_of_this_program_goes_to_two_others() {
    let (rooms, others) = (room(), room());
    let customer = Program::start("customer", &format!("{} {}", rooms.1, others.1));
    customer.hears("both");
}

/// The end comes back to its writer, which uses it as before.
#[test]
fn an_end_of_another_program_goes_to_no_third_one() {
    let (letterbox, (room, address)) = (Program::start("letterbox", ""), room());
    let go_between = Program::start("go_between", &format!("{} {address}", letterbox.hear()));
    let refusal = go_between.hear();
    assert!(refusal.contains("crosses one connection"), "{refusal}");
    letterbox.hears("by its own program");
    room.hears("still here");
}

/// The room keeps an end of a member for nobody else. A third program gets a poisoned one in its place.
#[test]
fn an_end_at_a_channel_is_replaced_for_a_third_program() {
    let exchange = Program::start("exchange", "");
    let addresses = exchange.hear();
    let (writer, reader) = addresses.split_once(' ').expect("two addresses");
    let mut member = Program::start("member", writer);
    let taker = Program::start("taker", reader);
    let told = taker.hear();
    assert!(told.starts_with("member: ") && told.contains("crosses one connection"), "{told}");
    // The exchange has dropped the real one.
    member.hears("the room is gone: Retired");
    member.tell("still here");
    taker.hears("still here");
}

/// Its memory can't be shared. It stays with a writer of another program. A reader of another program
/// is told that a value has not come.
#[test]
fn a_shared_buffer_goes_to_no_other_program() {
    let shelf = Program::start("shelf", "");
    let addresses = shelf.hear();
    let (back, out) = addresses.split_once(' ').expect("two addresses");
    let lender = Program::start("lender", back);
    let refusal = lender.hear();
    assert!(refusal.contains("a shared buffer can't go to another program"), "{refusal}");
    shelf.hears("bytes");
    // The other way: the home of the channel writes.
    let borrower = Program::start("borrower", out);
    shelf.hears("written");
    let refusal = borrower.hear();
    assert!(refusal.contains("a shared buffer can't go to another program"), "{refusal}");
    borrower.hears("still here");
}

/// Publishes both sides of a channel, and uses none.
pub(crate) fn exchange() {
    let said = Channel::<Said>::new();
    let writers = csp::publish("127.0.0.1:0/writer", said.writer()).expect("a place");
    let readers = csp::publish("127.0.0.1:0/reader", said.reader()).expect("a place");
    say(format!("{} {}", writers.address(), readers.address()));
    lines().for_each(drop);
    drop((writers, readers));
}

/// Reads a value with an end of a third program, and writes to that end.
pub(crate) fn taker(address: &str) {
    let said: Reader<Said> = csp::connect(address).expect("an exchange");
    let Said::Joined(name, inbox) = said.read().expect("a value") else { panic!("a line") };
    let error = inbox.write("from the taker".to_owned()).expect_err("an end that can't come here");
    say(format!("{name}: {:?}", error.termination));
    // The connection lives on.
    say(match said.read().expect("a value") {
        Said::Line(line) => line,
        Said::Joined(..) => panic!("another member"),
    });
}

/// Writes a shared buffer to another program, and its bytes after that.
pub(crate) fn lender(address: &str) {
    let to: Writer<Lent> = csp::connect(address).expect("a shelf");
    let buffer = SharedBuf::try_from(&b"bytes"[..]).expect("memory");
    let error = to.write(Lent::Buffer(buffer)).expect_err("a buffer that can't go there");
    say(format!("{:?}", error.termination));
    let Lent::Buffer(buffer) = error.into_inner() else { panic!("another value") };
    to.write(Lent::Bytes(buffer.to_vec())).expect("a shelf");
}

/// Publishes both sides of two channels. It reads from the one, and writes a shared buffer to the other.
pub(crate) fn shelf() {
    let (back, out) = (Channel::<Lent>::new(), Channel::<Lent>::new());
    let backs = csp::publish("127.0.0.1:0/back", back.writer()).expect("a place");
    let outs = csp::publish("127.0.0.1:0/out", out.reader()).expect("a place");
    say(format!("{} {}", backs.address(), outs.address()));
    match back.reader().read().expect("a value") {
        Lent::Bytes(bytes) => say(String::from_utf8_lossy(&bytes)),
        Lent::Buffer(_) => panic!("a buffer of another program"),
    }
    let writer = out.writer();
    match writer.write(Lent::Buffer(SharedBuf::try_from(&b"bytes"[..]).expect("memory"))) {
        Ok(()) => say("written"),
        Err(error) => say(format!("{:?}", error.termination)),
    }
    let _ = writer.write(Lent::Bytes(b"still here".to_vec()));
    lines().for_each(drop);
}

/// Reads what a shelf writes.
pub(crate) fn borrower(address: &str) {
    let from: Reader<Lent> = csp::connect(address).expect("a shelf");
    for _ in 0..2 {
        match from.read() {
            Ok(Lent::Bytes(bytes)) => say(String::from_utf8_lossy(&bytes)),
            Ok(Lent::Buffer(buffer)) => say(format!("a buffer: {:?}", &buffer[..])),
            Err(end) => say(format!("{end:?}")),
        }
    }
}

/// Sends the end of one channel to two rooms.
pub(crate) fn customer(addresses: &str) {
    let (one, other) = addresses.split_once(' ').expect("two addresses");
    let one: Writer<Said> = csp::connect(one).expect("a room");
    let other: Writer<Said> = csp::connect(other).expect("a room");
    let inbox = Channel::<String>::buffered(8);
    // An end of this program goes to both.
    one.write(Said::Joined("one".to_owned(), inbox.writer())).expect("a room");
    other.write(Said::Joined("other".to_owned(), inbox.writer())).expect("a room");
    let inbox = inbox.reader();
    for _ in 0..2 {
        inbox.read().expect("a line");
    }
    say("both");
    lines().for_each(drop);
}

/// Publishes an end, and says each line that comes.
pub(crate) fn letterbox() {
    let letters = Channel::<String>::new();
    let published = csp::publish("127.0.0.1:0/letters", letters.writer()).expect("a place");
    say(published.address());
    let reader = letters.reader();
    drop(letters);
    while let Ok(letter) = reader.read() {
        say(letter);
    }
}

/// Does with an end of another program what can't be done: it writes that end to a third one. The end lives on.
pub(crate) fn go_between(addresses: &str) {
    let (letterbox, room) = addresses.split_once(' ').expect("two addresses");
    let letters: Writer<String> = csp::connect(letterbox).expect("a letterbox");
    let said: Writer<Said> = csp::connect(room).expect("a room");
    let error =
        said.write(Said::Joined("letters".to_owned(), letters)).expect_err("a third program");
    say(format!("{:?}", error.termination));
    let Said::Joined(_, letters) = error.into_inner() else { panic!("another value") };
    letters.write("by its own program".to_owned()).expect("a letterbox");
    said.write(Said::Line("still here".to_owned())).expect("a room");
}
