#[csp::process]
fn sum(numbers: [u64]) -> u64 {
    numbers.iter().sum()
}

fn main() {
    let (_,): (u64,) = csp::parallel!(sum([1]));
}
