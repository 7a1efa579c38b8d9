#[csp::process(name = worker)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
