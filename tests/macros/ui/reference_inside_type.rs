use csp::{parallel, process};

#[process]
fn sum(numbers: Vec<Option<&u64>>) -> u64 {
    numbers.into_iter().flatten().sum()
}

fn main() {
    let (_sum,): (u64,) = parallel!(sum(vec![Some(&1)]));
}
