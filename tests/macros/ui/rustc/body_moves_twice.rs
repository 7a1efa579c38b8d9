use csp::{Reader, process};

#[process]
fn waits(input: Reader<u32>) -> csp::Result<u32> {
    for value in input {
        drop(value);
    }
    input.read()
}

#[process]
async fn awaits(input: Reader<u32>) -> csp::Result<u32> {
    drop(input);
    input.read_async().await
}

fn main() {
    let input = csp::Channel::new();
    csp::parallel!(waits(input.reader()), awaits(input.reader()));
}
