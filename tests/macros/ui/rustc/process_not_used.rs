#![deny(unused_must_use)]

#[csp::process]
fn worker() {}

fn main() {
    worker();
}
