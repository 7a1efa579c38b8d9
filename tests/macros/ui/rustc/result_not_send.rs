use std::rc::Rc;

#[csp::process]
fn shared(word: String) -> Rc<str> {
    word.into()
}

fn main() {}
