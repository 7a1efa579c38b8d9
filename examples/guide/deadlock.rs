use csp::{Channel, Reader, Writer, process, try_parallel};

/// Both read before they write.
#[process]
fn polite(from_other: Reader<u32>, to_other: Writer<u32>) -> csp::Result {
    let n = from_other.read()?;
    to_other.write(n + 1)?;
    Ok(())
}

#[csp::main]
fn main() {
    let (there, back) = (Channel::new().named("there"), Channel::new().named("back"));
    let alice = polite(there.reader(), back.writer()).named("alice");
    let bob = polite(back.reader(), there.writer()).named("bob");
    drop((there, back));

    let failure = try_parallel!(alice, bob).unwrap_err();
    let deadlock = failure.deadlock().expect("they wait for each other");
    let blocked = deadlock.blocked().iter().map(|process| process.path());
    println!("{:?}", blocked.collect::<Vec<_>>());
}
