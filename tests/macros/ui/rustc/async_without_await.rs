use csp::{Reader, Writer, process};

#[process]
async fn worker(jobs: Reader<u64>, out: Writer<u64>) -> csp::Result {
    let job = jobs.read_async()?;
    out.write_async(job).await?;
    Ok(())
}

fn main() {
    let (jobs, out) = (csp::Channel::new(), csp::Channel::new());
    let _ = csp::parallel!(worker(jobs.reader(), out.writer()));
}
