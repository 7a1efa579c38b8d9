//! Sockets, on whatever their processes run. All connections are real ones, over loopback.
#![cfg(unix)]

mod apart;
mod asyncs;
mod datagrams;
mod edges;
mod faults;
mod guards;
mod reports;
mod shared;
mod streams;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use csp::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: csp_tests::Counting = csp_tests::Counting;

/// So long that a test fails if it passes.
const HOUR: Duration = Duration::from_secs(3600);

/// Makes a listener at an address that is free.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Makes the two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(plain.local_addr().unwrap()).unwrap();
    let (server, _) = plain.accept().unwrap();
    (client.into(), server.into())
}

/// Makes a name that no other process of this program has.
fn unique(base: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{base}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Returns when the process of this name waits, and what for.
fn until_it_waits(name: &str) -> String {
    loop {
        let network = csp::network();
        let found = network.processes().iter().find(|process| {
            process.path().ends_with(&format!("/{name}"))
                && matches!(process.state(), csp::report::State::Blocked(_))
        });
        if let Some(found) = found {
            let csp::report::State::Blocked(wait) = found.state() else { unreachable!() };
            return wait
                .wants()
                .iter()
                .map(|want| format!("{} {}", want.operation(), want.name().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join("\n");
        }
        csp_tests::settle();
    }
}

/// Writes as much as the socket takes, and then waits for room.
fn fill(stream: &TcpStream) -> std::io::Result<()> {
    (&*stream).write_all(&vec![7; 64 << 20])
}
