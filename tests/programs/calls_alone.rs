//! A ring whose nodes make calls, in a program without threads of its own. When a call ends, no other thread may be awake.

use csp::io::Call;
use csp::{Channel, Parallel, Reader, Writer, alt, process};
use csp_tests::backend;

const NODES: usize = 5;
const ROUNDS: u32 = 300;

#[process]
fn node(input: Reader<u32>, out: Writer<u32>, first: bool) -> csp::Result<u32> {
    let call = Call::new(std::thread::yield_now);
    let (mut passed, mut rounds) = (0, 0);
    if first {
        out.write(0)?;
    }
    while rounds < ROUNDS {
        alt! {
            io(call)       => {}
            retired(input) => return Ok(passed),
            n = input.read() => {
                let n = match n % 3 {
                    0 => csp::io(|| n + 1),
                    1 => csp::compute(|| n + 1),
                    _ => n + 1,
                };
                rounds += u32::from(first);
                passed += 1;
                out.write(n)?;
            }
        }?;
    }
    Ok(passed)
}

#[csp::main]
fn main() {
    let links = NODES * Channel::new();
    let ring = (0..NODES).fold(Parallel::new(), |ring, n| {
        let (input, out) = (links[n].reader(), links[(n + 1) % NODES].writer());
        ring.with(node(input, out, n == 0).on(backend()))
    });
    drop(links);
    println!("{:?}", ring.run()[0]);
}
