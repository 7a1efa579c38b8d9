use csp::Channel;

fn main() {
    let values = Channel::<u8>::new();
    let _ = values.write(1);
    values.retire();
}
