use csp::{Reader, process};

fn on_any_thread<F: Future + Send>(_: F) {}

#[process]
async fn worker(jobs: Reader<u64>) {
    on_any_thread(jobs.read_async());
}

fn main() {
    let _ = csp::parallel!(worker(csp::Channel::new().reader()));
}
