#[csp::multiprocess]
fn shout(word: &'static str, numbers: Vec<&'static [u8]>) -> &'static u64 {
    drop((word, numbers));
    &7
}

fn main() {
    csp::parallel!(shout("go", vec![]));
}
