#[csp::multiprocess]
fn pass<T: Send + 'static>(value: T) {
    drop(value);
}

fn main() {
    csp::parallel!(pass(3));
}
