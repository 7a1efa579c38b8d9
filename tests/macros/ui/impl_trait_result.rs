#[csp::process]
fn numbers(limit: u64) -> impl Iterator<Item = u64> + Send {
    0..limit
}

fn main() {
    csp::parallel!(numbers(3));
}
