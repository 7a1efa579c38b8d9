struct Label<'a>(&'a str);

#[csp::process]
fn print(label: Label) {
    println!("{}", label.0);
}

fn main() {
    csp::parallel!(print(Label("tick")));
}
