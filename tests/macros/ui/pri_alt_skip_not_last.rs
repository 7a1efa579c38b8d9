use csp::{Reader, Writer, pri_alt, process};

#[process]
fn chooser(left: Reader<u64>, out: Writer<u64>) -> csp::Result<u64> {
    let v = pri_alt! {
        x = left.read() => x,
        skip => 0,
        out.write(3) => 3,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
