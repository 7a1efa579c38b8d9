#[csp::process(crate = "csp")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
