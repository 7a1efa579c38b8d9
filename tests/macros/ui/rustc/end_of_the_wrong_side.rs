//! The checks of Go's `test/chan/perm.go`: an end has the operations of its side, and no end becomes the other.
use csp::{Channel, Reader, Writer};

fn main() {
    let channel = Channel::<u32>::new();
    let reader: Reader<u32> = channel.reader();
    let writer: Writer<u32> = channel.writer();

    let _: Reader<u32> = writer;
    let _: Writer<u32> = reader;
    let _: Channel<u32> = reader;

    let _ = reader.read();
    let _ = writer.write(0);
    let _ = reader.write(0);
    let _ = writer.read();
    let _ = writer.begin();
    for _ in &writer {}

    // The channel itself is neither read nor written.
    let _ = channel.read();
    let _ = channel.write(0);
}
