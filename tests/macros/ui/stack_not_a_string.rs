#[csp::process(stack = 64)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
