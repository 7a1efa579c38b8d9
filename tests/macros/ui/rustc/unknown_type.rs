#[csp::process]
fn worker(bags: Vec<Bag>) -> u64 {
    bags.len() as u64
}

fn main() {
    csp::parallel!(worker(vec![]));
}
