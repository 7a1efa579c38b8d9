#[csp::process]
fn pass<T: Send>(value: T) {
    drop(value);
}

fn main() {
    csp::parallel!(pass(3));
}
