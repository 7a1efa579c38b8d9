#[csp::process(daemon, name = "worker", daemon)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
