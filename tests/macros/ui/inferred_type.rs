#[csp::process]
fn count(values: Vec<_>) -> usize {
    values.len()
}

fn main() {
    let (_,): (usize,) = csp::parallel!(count(vec![1]));
}
