#[csp::process(stack = "5000 MiB")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
