#[csp::main(dump_on_signal = yes)]
fn main() {}
