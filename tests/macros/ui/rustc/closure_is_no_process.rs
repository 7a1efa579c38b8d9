use csp::{Channel, parallel};

fn main() {
    let channel = Channel::new();
    let (writer, reader) = (channel.writer(), channel.reader());
    parallel!(move || writer.write(1), move || reader.read());
}
