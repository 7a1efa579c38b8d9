use csp::{Reader, alt, process};

#[process]
fn chooser(left: Reader<Option<u64>>) -> csp::Result<u64> {
    let v = alt! {
        Some(x) = left.read() => x,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
