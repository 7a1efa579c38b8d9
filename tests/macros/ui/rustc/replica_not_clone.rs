struct Bag;

#[csp::process]
fn worker(_bag: Bag) {}

fn main() {
    csp::parallel!(3 * worker(Bag));
}
