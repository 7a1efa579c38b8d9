#[csp::process]
fn first<'a>(words: &'a [String], count: usize) -> Option<String> {
    words.iter().nth(count).cloned()
}

fn main() {
    let words = vec![String::new()];
    let (_,): (Option<String>,) = csp::parallel!(first(&words, 0));
}
