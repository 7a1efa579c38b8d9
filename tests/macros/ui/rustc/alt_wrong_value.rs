use csp::{Writer, alt, process};

#[process]
fn chooser(out: Writer<u64>, flag: bool, text: String) -> csp::Result<u64> {
    let v = alt! {
        out.write("three") => 3,
        out.write(flag) => 4,
        out.write(text) => 5,
        out.write_with(|| 'x') => 6,
        if flag, out.write(()) => 7,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
