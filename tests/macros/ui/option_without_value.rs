#[csp::process(stack)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
