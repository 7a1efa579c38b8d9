use std::rc::Rc;

#[csp::process]
fn count(words: Rc<str>, numbers: Vec<u64>, pointer: *const u8) -> usize {
    words.len() + numbers.len() + pointer.addr()
}

fn main() {}
