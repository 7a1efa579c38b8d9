use csp::{Reader, multiprocess, process};

#[multiprocess]
async fn worker(jobs: Reader<u64>) -> csp::Result {
    jobs.read_async().await?;
    Ok(())
}

#[process(on = subprocess)]
async fn other() {}

fn main() {
    let _ = csp::parallel!(worker(csp::Channel::new().reader()), other());
}
