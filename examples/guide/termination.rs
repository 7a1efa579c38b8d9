use csp::{Channel, Reader, Writer, parallel, process};

const SOURCES: usize = 5;
const EACH: usize = 10;

/// The way in which a source leaves after it has written all its values.
#[derive(Clone, Copy)]
enum Leaving {
    Retiring,
    Poisoning,
}

#[process]
fn source(out: Writer<usize>, leaving: Leaving) -> csp::Result {
    for n in 0..EACH {
        out.write(n)?;
    }
    match leaving {
        Leaving::Retiring => out.retire(),
        Leaving::Poisoning => out.poison("this source is done"),
    }
    Ok(())
}

#[process]
fn sink(input: Reader<usize>) -> usize {
    input.iter().count()
}

fn delivered(leaving: Leaving) -> usize {
    let values = Channel::new();
    parallel!(SOURCES * source(values.writer(), leaving), sink(values.reader())).1
}

#[csp::main]
fn main() {
    println!("retiring delivers {} of 50", delivered(Leaving::Retiring));
    println!("poisoning loses some: {}", delivered(Leaving::Poisoning) < 50);
}
