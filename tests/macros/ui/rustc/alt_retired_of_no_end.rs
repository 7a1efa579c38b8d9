use csp::{Channel, alt};

fn main() {
    let numbers = Channel::<u32>::new();
    let input = numbers.reader();
    let _ = alt! {
        x = input.read() => x,
        retired(3)       => 0,
    };
}
