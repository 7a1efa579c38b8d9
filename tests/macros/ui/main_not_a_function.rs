#[csp::main]
mod network {}

fn main() {}
