#[csp::process]
fn idle<'a, T: Send + 'static>(value: T) -> T {
    value
}

fn main() {
    let (_,): (u8,) = csp::parallel!(idle(3));
}
