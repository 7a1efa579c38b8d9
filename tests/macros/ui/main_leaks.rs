#[csp::main(leaks = off)]
fn main() {}
