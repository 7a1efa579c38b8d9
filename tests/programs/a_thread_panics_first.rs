//! The first that this program does with the library, but for making a channel, is to panic with an
//! end in its hands.

use csp::Channel;

fn main() {
    let values = Channel::<u32>::new();
    let (reader, writer) = (values.reader(), values.writer());
    let thread = std::thread::spawn(move || {
        let _writer = writer;
        panic!("first of all");
    });
    assert!(thread.join().is_err());
    println!("{}", reader.read().expect_err("poison"));
}
