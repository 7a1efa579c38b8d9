// A call that is not chosen goes on, so a variable must hold it.

use csp::{Reader, alt, process};

#[process]
fn waits(listener: std::net::TcpListener, stop: Reader<()>) -> csp::Result {
    alt! {
        connection = io(|| listener.accept()) => drop(connection),
        stop.read()                           => (),
    }
}

fn main() {}
