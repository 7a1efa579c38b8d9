#[csp::process]
fn pass<T: 'static>(value: T) {
    drop(value);
}

fn main() {
    csp::parallel!(pass(3));
}
