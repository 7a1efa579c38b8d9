use csp::{alt, process};

#[process]
fn chooser() -> csp::Result<u64> {
    let v = alt! {}?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
