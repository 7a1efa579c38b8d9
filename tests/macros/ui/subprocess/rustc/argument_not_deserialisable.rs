type Word = &'static str;

#[csp::multiprocess]
fn shout(word: Word) -> String {
    word.to_uppercase()
}

fn main() {
    csp::parallel!(shout("go"));
}
