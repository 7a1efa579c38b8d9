//! A process that runs in another OS process, in a strict crate.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, unused, rust_2018_idioms, unused_qualifications)]
#![deny(
    unused_lifetimes,
    single_use_lifetimes,
    unused_results,
    let_underscore_drop,
    elided_lifetimes_in_paths
)]

use csp::{multiprocess, parallel};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Bag(u64);

/// Documented.
#[multiprocess(name = "filler", stack = "256 KiB", on_panic = retire)]
fn fill(mut bags: Vec<Bag>, _unused: u8) -> Vec<Bag> {
    bags.push(Bag(7));
    bags
}

/// Documented.
#[multiprocess]
fn pass<T>(value: T) -> T
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    value
}

/// Documented. Names that the library might have for its own.
#[multiprocess]
fn between(from: u8, to: u8) -> u8 {
    to - from
}

#[csp::main]
fn main() {
    #[multiprocess]
    fn inside(words: [Option<String>; 2]) -> usize {
        words.iter().flatten().map(String::len).sum()
    }

    let words = [Some("abc".to_owned()), None];
    let (bags, bag, n, between) =
        parallel!(fill(vec![], 0), pass(Bag(3)), inside(words), between(3, 5));
    assert_eq!((bags, bag, n, between), (vec![Bag(7)], Bag(3), 3, 2));
}
