use csp::{Reader, process};

#[process]
fn waits(input: Reader<u32>) -> csp::Result {
    for value in &input {
        return value;
    }
    input.read()
}

#[process]
async fn awaits(input: Reader<u32>) -> csp::Result {
    if false {
        return 7;
    }
    input.read_async().await
}

fn main() {
    let input = csp::Channel::new();
    csp::parallel!(waits(input.reader()), awaits(input.reader()));
}
