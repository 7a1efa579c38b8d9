#[csp::main(cores = 0)]
fn main() {}
