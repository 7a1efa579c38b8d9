use csp::{Channel, Parallel, Reader, Writer, process};

/// Passes the token on. The last node writes it back to the first.
#[process]
fn node(input: Reader<u32>, out: Writer<u32>, first: bool) -> csp::Result<u32> {
    if first {
        out.write(0)?; // one node must begin
    }
    let mut last = 0;
    for token in &input {
        last = token;
        if first && token >= 100 {
            break; // its ends retire, and the news goes round
        }
        out.write(token + 1)?;
    }
    Ok(last)
}

#[csp::main]
fn main() {
    const N: usize = 5;
    let links = N * Channel::new();
    let ring = (0..N).fold(Parallel::new(), |ring, n| {
        ring.with(node(links[n].reader(), links[(n + 1) % N].writer(), n == 0))
    });
    drop(links);
    println!("{:?}", ring.run()[0]);
}
