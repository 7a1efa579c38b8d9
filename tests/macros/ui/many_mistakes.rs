//! All mistakes are reported at once, each at its own token, none caused by another. The body is checked too.

use csp::{Writer, parallel, process};

#[process(nam = "worker", stack = "64 KB", on = fiber, daemon, daemon)]
async fn worker<'a>(
    label: &str,
    numbers: impl Iterator<Item = u64>,
    out: Writer<u64>,
) -> &'static str {
    out.write(numbers.sum()).unwrap();
    label.len()
}

fn main() {
    let out = csp::Channel::new();
    let (done, all) =
        parallel!(worker("one", 0..3, out.writer()), 2 * worker("two", 0..3, out.writer()));
    println!("{}, {}", done.len(), all.len());
}
