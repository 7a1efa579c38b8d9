#[csp::process(on_panic = abort)]
fn worker() {}

fn main() {
    csp::parallel!(worker());
}
