use csp::multiprocess;

struct Bag(u64);

impl Bag {
    #[multiprocess]
    fn double(bags: Vec<Self>) -> u64 {
        bags.iter().map(|bag| bag.0 * 2).sum()
    }
}

fn main() {
    let (_,): (u64,) = csp::parallel!(Bag::double(vec![Bag(1)]));
}
