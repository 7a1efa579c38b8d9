use csp::{Channel, Parallel, Reader, parallel, process, sequence, spawn};

#[process]
fn greets(name: &'static str) -> String {
    format!("{} greets {name}", csp::current().name())
}

#[process]
fn takes(input: Reader<u32>, share: Vec<Reader<u32>>) -> usize {
    drop(input);
    share.len()
}

#[csp::main]
fn main() {
    // A tuple, with a `Vec` where there are several.
    let (one, many) = parallel!(greets("you"), 3 * greets("all"));
    println!("{one}\n{many:?}");

    // Each replica gets a clone of every argument. A clone of an end is a new end, also inside a `Vec`.
    let values = Channel::new();
    let ends = vec![values.reader(), values.reader()];
    println!("{:?}", parallel!(2 * takes(values.reader(), ends)).0);

    // One after another.
    println!("{:?}", sequence!(greets("first"), greets("then")));

    // A set that is made while the program runs.
    let set = ["a", "b"].into_iter().fold(Parallel::new(), |set, name| set.with(greets(name)));
    println!("{:?}", set.run());

    // Started now, and joined later, at the latest when its parent ends.
    let later = spawn(greets("later"));
    println!("{}", later.join());
}
