use csp::{Reader, Writer, alt, process};

#[process]
fn chooser(left: Reader<u64>, out: Writer<u64>) -> csp::Result<u64> {
    let v = alt! {
        #[cfg(all())]
        x = left.read() => x,
        out.write(3) => 3,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
