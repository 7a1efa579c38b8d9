#[csp::process]
fn total(numbers: impl Iterator<Item = u64> + Send + 'static) -> u64 {
    numbers.sum()
}

fn main() {
    let (_,): (u64,) = csp::parallel!(total(0..3));
}
