use csp::{Channel, Reader, Termination, Writer, process, try_parallel};

#[process]
fn fails(out: Writer<u32>) {
    out.write(1).unwrap();
    panic!("out of paper");
}

#[process]
fn reads(input: Reader<u32>) -> Vec<u32> {
    let values = input.iter().collect();
    match input.termination() {
        Some(Termination::Poisoned(poison)) => println!("poisoned: {poison}"),
        other => println!("{other:?}"),
    }
    values
}

#[csp::main]
fn main() {
    let values = Channel::new();
    let failure = try_parallel!(fails(values.writer()), reads(values.reader())).unwrap_err();
    println!("{} failed: {}", failure.process(), failure.message());
}
