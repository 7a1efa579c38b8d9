use csp::{Alternation, Channel, Reader, Writer, parallel, process};

#[process]
fn source(out: Writer<&'static str>, word: &'static str) -> csp::Result {
    (0..3).try_for_each(|_| Ok(out.write(word)?))
}

/// Merges fairly: while all inputs have values, each gets a turn before any gets another.
#[process]
fn merge(inputs: Vec<Reader<&'static str>>) -> Vec<&'static str> {
    let mut all = Vec::new();
    let mut choice = Alternation::new();
    for input in &inputs {
        choice.read(input, |word| word);
    }
    while let Ok(word) = choice.choose() {
        all.push(word);
    }
    all
}

#[csp::main]
fn main() {
    let channels = 3 * Channel::new();
    let words = ["a", "b", "c"].into_iter();
    let sources: Vec<_> =
        channels.iter().zip(words).map(|(channel, word)| source(channel.writer(), word)).collect();
    let inputs = channels.iter().map(Channel::reader).collect();
    drop(channels);
    let (_, mut all) = parallel!(sources, merge(inputs));
    all.sort();
    println!("{}", all.concat());
}
