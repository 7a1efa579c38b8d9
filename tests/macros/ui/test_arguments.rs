#[csp::test]
fn waits(for_whom: u8) {}

fn main() {}
