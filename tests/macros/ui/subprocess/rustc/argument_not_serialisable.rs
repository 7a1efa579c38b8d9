struct Bag(u64);

#[csp::multiprocess]
fn empty(bags: Vec<Bag>, name: String) -> u64 {
    drop(name);
    bags.into_iter().map(|bag| bag.0).sum()
}

fn main() {
    csp::parallel!(empty(vec![], String::new()));
}
