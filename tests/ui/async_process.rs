use csp::{Reader, process};

#[process]
async fn worker(jobs: Reader<u64>) -> csp::Result {
    jobs.read()?;
    Ok(())
}

fn main() {
    let _ = csp::parallel!(worker(csp::Channel::new().reader()));
}
