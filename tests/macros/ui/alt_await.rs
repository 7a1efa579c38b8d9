use csp::{Barrier, Reader, Writer, alt, process};

#[process]
async fn worker(jobs: Reader<u64>, out: Writer<u64>, steps: Barrier) -> csp::Result<u64> {
    alt! {
        job = jobs.read_async()        => job,
        out.write(1).await             => 2,
        job = jobs.begin().await       => *job,
        steps.sync_async(1).await      => 3,
    }
}

#[process]
async fn mixed(jobs: Reader<u64>, out: Writer<u64>) -> csp::Result<u64> {
    alt! {
        job = jobs.read_async().await => job,
        out.write(1)                  => 2,
    }
}

fn main() {
    let (jobs, out) = (csp::Channel::new(), csp::Channel::new());
    let _ = csp::parallel!(worker(jobs.reader(), out.writer(), Barrier::new()), mixed(jobs.reader(), out.writer()));
}
