#[csp::process]
struct Worker {
    bag: u64,
}

fn main() {
    let _ = Worker { bag: 3 }.bag;
}
