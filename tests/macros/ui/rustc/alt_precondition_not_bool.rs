use csp::{Reader, alt, process};

#[process]
fn chooser(left: Reader<u64>, credit: u64) -> csp::Result<u64> {
    let v = alt! {
        if credit, x = left.read() => x,
        if credit, after(std::time::Duration::ZERO) => 0,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
