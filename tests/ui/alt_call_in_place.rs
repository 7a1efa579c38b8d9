// A call that is not chosen goes on: it has to be somewhere.

use csp::{Reader, alt, process};

#[process]
fn waits(listener: std::net::TcpListener, stop: Reader<()>) -> csp::Result {
    alt! {
        connection = io(|| listener.accept()) => drop(connection),
        stop.read()                           => (),
    }
}

fn main() {}
