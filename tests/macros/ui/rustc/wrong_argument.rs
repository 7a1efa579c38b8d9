#[csp::process]
fn worker(bag: u64, (low, high): (u64, u64)) -> u64 {
    bag.clamp(low, high)
}

fn main() {
    csp::parallel!(worker("three", (1, 2)), worker(3));
}
