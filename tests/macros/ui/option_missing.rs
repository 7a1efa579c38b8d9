#[csp::process(daemon,, name = "worker")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
