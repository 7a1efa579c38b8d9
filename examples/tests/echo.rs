//! The example `echo`, with hundreds of clients at once.
#![cfg(unix)]

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../echo.rs"]
mod echo;
mod watchdog;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use csp::{Channel, Signal};

/// Server and clients are one OS process here, which may have 1,024 descriptors.
const CLIENTS: usize = 400;
const ROUNDS: usize = 20;

#[test]
fn each_client_gets_back_what_it_has_sent() {
    let _over = watchdog::watchdog();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = socket.local_addr().expect("an address");
    let signals = Channel::new();
    let (signal, stopped) = (signals.writer(), signals.reader());
    drop(signals);
    let serving = thread::spawn(move || echo::serve(socket.into(), stopped));

    let mut clients: Vec<TcpStream> =
        (0..CLIENTS).map(|_| TcpStream::connect(server).expect("a server")).collect();
    for round in 0..ROUNDS {
        // All have something on its way at the same time, and each something of its own. Some of it is longer than a block.
        let text = |client: usize| format!("{client} {round} ").repeat(1 + client * round % 1000);
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(text(number).as_bytes()).expect("it is heard");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let expected = text(number);
            let mut answer = vec![0; expected.len()];
            client.read_exact(&mut answer).expect("an answer");
            assert_eq!(String::from_utf8_lossy(&answer), expected);
        }
    }
    // A client that says no more hears the end, and one that hangs up disturbs nobody.
    let mut rest = [0; 1];
    for client in &mut clients[..CLIENTS / 2] {
        client.shutdown(Shutdown::Write).expect("it was there");
        assert_eq!(client.read(&mut rest).expect("the end"), 0);
    }
    drop(clients);
    signal.write(Signal::INT).expect("it is heard");
    assert_eq!(serving.join().expect("it has ended"), Ok(CLIENTS));
}
