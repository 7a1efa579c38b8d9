#[csp::process(stack = "0 KiB")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
