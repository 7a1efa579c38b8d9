use std::borrow::Cow;

#[csp::process]
fn shout(text: Cow<'_, str>) -> String {
    text.to_uppercase()
}

fn main() {
    let (_,): (String,) = csp::parallel!(shout("go".into()));
}
