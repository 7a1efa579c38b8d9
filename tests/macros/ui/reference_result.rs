#[csp::process]
fn name(number: u8) -> Option<&u8> {
    None
}

fn main() {
    csp::parallel!(name(3));
}
