#[csp::process]
fn main() {}
