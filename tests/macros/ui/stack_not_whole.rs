#[csp::process(stack = "1.5 MiB")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
