#[csp::process]
fn apply(f: dyn Fn() -> u64 + Send) -> u64 {
    f()
}

fn main() {
    let (_,): (u64,) = csp::parallel!(apply(|| 3));
}
