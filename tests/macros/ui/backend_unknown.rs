#[csp::process(on = fiber)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
