#[csp::process(stack = "KiB")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
