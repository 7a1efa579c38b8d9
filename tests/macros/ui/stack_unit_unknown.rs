#[csp::process(stack = "64 KB")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
