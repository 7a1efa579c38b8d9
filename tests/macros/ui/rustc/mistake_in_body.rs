#[csp::process]
fn worker(bag: u64) -> u64 {
    let Some(half) = bag.checked_div(2).map(|half| half + bug) else { return "none" };
    half
}

fn main() {
    csp::parallel!(worker(3));
}
