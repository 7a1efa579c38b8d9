#[csp::multiprocess(isolated, name = "adder")]
fn sum(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[csp::main]
fn main() {
    assert_eq!(csp::parallel!(sum(vec![1, 2])), (3,));
}
