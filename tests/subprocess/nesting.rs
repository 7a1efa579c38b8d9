//! Children of children.

use csp::{multiprocess, parallel, process, try_parallel};

use crate::{here, tests};

#[multiprocess]
fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = parallel!(fibonacci(n - 1), fibonacci(n - 2));
    a + b
}

/// Runs coroutines and threads in a child.
#[multiprocess]
fn network() -> (u32, u32) {
    let numbers = csp::Channel::new();
    let (_, sum) = parallel!(source(numbers.writer()), sink(numbers.reader()));
    (here(), sum)
}

#[process]
fn source(out: csp::Writer<u32>) -> csp::Result {
    for n in 0..100 {
        out.write(n)?;
    }
    Ok(())
}

#[process]
fn sink(input: csp::Reader<u32>) -> u32 {
    input.iter().sum()
}

/// Starts children within children, and returns how deep it got.
#[multiprocess]
fn without_end(depth: u32) -> (u32, String) {
    match try_parallel!(without_end(depth + 1)) {
        Ok((deepest,)) => deepest,
        Err(failure) => (depth, format!("{failure:#}")),
    }
}

tests! {
    fn a_child_has_children() {
        assert_eq!(parallel!(fibonacci(6)).0, 8);
    }

    fn a_child_has_a_network_of_its_own() {
        let (places,) = parallel!(2 * network());
        assert!(places.iter().all(|&(there, sum)| there != here() && sum == 4950));
        assert_ne!(places[0].0, places[1].0);
    }

    fn nesting_without_end_is_a_failure() {
        let ((depth, failure),) = parallel!(without_end(1));
        assert_eq!(depth, 16);
        assert!(failure.contains("could not be started"), "{failure:#}");
        assert!(failure.contains("16 deep"), "{failure:#}");
    }
}
