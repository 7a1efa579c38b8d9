#[csp::process(daemon = true)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
