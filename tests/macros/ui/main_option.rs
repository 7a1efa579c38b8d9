#[csp::main(stack = "64 KiB")]
fn main() {}
