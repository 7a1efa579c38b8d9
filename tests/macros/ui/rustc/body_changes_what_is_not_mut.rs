use csp::{Writer, process};

#[process]
fn waits(all: Vec<u32>, out: Writer<Vec<u32>>) -> csp::Result {
    all.push(1);
    Ok(out.write(all)?)
}

#[process]
async fn awaits(all: Vec<u32>, out: Writer<Vec<u32>>) -> csp::Result {
    all.push(1);
    Ok(out.write_async(all).await?)
}

fn main() {
    let out = csp::Channel::new();
    csp::parallel!(waits(vec![], out.writer()), awaits(vec![], out.writer()));
}
