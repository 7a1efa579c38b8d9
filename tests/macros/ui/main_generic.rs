#[csp::main]
fn main<T>() {}
