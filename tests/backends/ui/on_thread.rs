use csp::process;

#[process(on = thread)]
fn sum(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[csp::multiprocess(stack = "1 MiB", on = thread)]
fn product(numbers: Vec<u64>) -> u64 {
    numbers.iter().product()
}

#[csp::main]
fn main() {
    assert_eq!(csp::parallel!(sum(vec![1, 2]), 2 * product(vec![1, 2])), (3, vec![2, 2]));
}
