#[csp::process(isolated)]
fn worker(bag: u64) -> u64 {
    bag
}

fn main() {
    let (_,): (u64,) = csp::parallel!(worker(3));
}
