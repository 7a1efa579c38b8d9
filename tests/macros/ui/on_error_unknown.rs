#[csp::process(on_error = ignore)]
fn quiet() {}

fn main() {
    csp::parallel!(quiet());
}
