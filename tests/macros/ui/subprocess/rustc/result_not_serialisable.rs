pub struct Bag;

#[csp::process(on = subprocess)]
pub fn fill(name: String) -> Bag {
    drop(name);
    Bag
}

fn main() {}
