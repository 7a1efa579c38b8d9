#[csp::process]
fn worker(Some(bag): Option<u64>) -> u64 {
    bag
}

fn main() {
    csp::parallel!(worker(None));
}
