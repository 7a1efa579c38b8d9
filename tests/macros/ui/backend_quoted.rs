#[csp::process(on = "thread")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
