use csp::process;

#[process]
async fn worker(jobs: &[u64], name: &str) -> usize {
    jobs.len() + name.len()
}

#[process]
async fn other<'a>(job: std::borrow::Cow<'a, str>) -> &'a str {
    "x"
}

fn main() {
    let _ = csp::parallel!(worker(&[1], "x"));
}
