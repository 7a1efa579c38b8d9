#[csp::process(on = subprocess)]
fn sum(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[csp::main]
fn main() {
    assert_eq!(csp::parallel!(sum(vec![1, 2])), (3,));
}
