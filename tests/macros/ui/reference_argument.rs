use csp::{Writer, parallel, process};

#[process]
fn ticks(out: Writer<String>, label: &str) {
    let _ = out.write(label.to_owned());
}

fn main() {
    let out = csp::Channel::new();
    let _ = parallel!(ticks(out.writer(), "tick"), 2 * ticks(out.writer(), "tock"));
}
