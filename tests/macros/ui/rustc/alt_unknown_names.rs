use csp::{Writer, alt, process};

#[process]
fn chooser(out: Writer<u64>) -> csp::Result<u64> {
    let v = alt! {
        x = lift.read() => x,
        out.write(three) => 3,
        out.write_with(|| four) => 4,
        after(five) => five,
    }?;
    Ok(v)
}

fn main() {
    let _ = chooser;
}
