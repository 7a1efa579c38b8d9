//! All mistakes are reported at once, each at its own token, none caused by another. The arms of the others are checked too.

use csp::{Reader, Writer, alt, process};
use std::time::Duration;

#[process]
fn chooser(left: Reader<u64>, out: Writer<u64>, credit: bool) -> csp::Result<u64> {
    let v = alt! {
        x = left.read() => {
            let y: bool = x;
            0
        }
        y = left.recv() => y,
        z = after(Duration::from_secs(1)) => z,
        #[cold]
        if credit, out.write(1, 2) => 3,
        skip if credit => 0,
        _ => 0,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
