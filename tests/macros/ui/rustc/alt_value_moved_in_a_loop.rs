use csp::{Reader, Writer, alt, process};

#[process]
fn chooser(left: Reader<u64>, out: Writer<String>, text: String) -> csp::Result {
    loop {
        alt! {
            _ = left.read() => {}
            out.write(text) => {}
        }?;
    }
}

fn main() {
    let _ = chooser;
}
