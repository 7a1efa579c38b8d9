//! This program makes a channel. Then its first use of the library is to panic while it holds an
//! end.

use csp::Channel;

fn main() {
    let values = Channel::<u32>::new();
    let (reader, writer) = (values.reader(), values.writer());
    let thread = std::thread::spawn(move || {
        let _writer = writer;
        panic!("first of all");
    });
    assert!(thread.join().is_err());
    println!("{:#}", reader.read().expect_err("poison"));
}
