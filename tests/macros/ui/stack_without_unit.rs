#[csp::process(stack = "65536")]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
