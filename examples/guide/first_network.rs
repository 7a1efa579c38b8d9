use csp::{Channel, Reader, Writer, parallel, process};

#[process]
fn numbers(out: Writer<u64>, count: u64) -> csp::Result {
    for n in 1..=count {
        out.write(n)?; // waits until a process reads it
    }
    Ok(()) // `out` is dropped here: no process will write any more
}

#[process]
fn squares(input: Reader<u64>, out: Writer<u64>) -> csp::Result {
    loop {
        let n = input.read()?; // an error when no process will write any more
        out.write(n * n)?;
    }
}

#[process]
fn sum(input: Reader<u64>) -> u64 {
    input.iter().sum() // until no process will write any more
}

#[csp::main]
fn main() {
    let (plain, squared) = (Channel::new(), Channel::new());
    let (_, _, sum) = parallel!(
        numbers(plain.writer(), 10),
        squares(plain.reader(), squared.writer()),
        sum(squared.reader()),
    );
    println!("{sum}");
}
