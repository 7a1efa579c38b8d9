#[csp::test(limit = "soon")]
fn waits() {}

fn main() {}
