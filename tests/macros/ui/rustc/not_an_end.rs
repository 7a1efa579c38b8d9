use csp::{Alternation, alt};

fn main() {
    let mut choice = Alternation::new();
    choice.read(5, |_: u8| ());
    let _ = alt! { x = 5.read() => x };
    5.retire();
}
