#[csp::process(name = "farm/worker")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
