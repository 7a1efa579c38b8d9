//! Every option, and a library that is imported by another name.

use csp as renamed;

#[renamed::process(
    name = "other",
    on = thread,
    stack = "1 MiB",
    daemon,
    on_panic = retire,
    crate = crate::renamed,
)]
fn configured() -> String {
    renamed::current().name().to_string()
}

#[renamed::multiprocess(on = coroutine, stack = "65_536 B", on_panic = poison)]
fn multi() -> String {
    renamed::current().name().to_string()
}

#[renamed::main(crate = renamed)]
pub fn main() {
    let (configured, multi) = renamed::parallel!(configured(), multi());
    assert_eq!((&*configured, &*multi), ("other", "multi"));
}
