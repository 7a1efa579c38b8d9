//! An echo server: ten thousand clients are ten thousand processes, each a loop of two lines.
//!
//! ```text
//!            ┌─ client ◀══▶ socket
//! listener ══╪═ client ◀══▶ socket
//!     ▲      └─ client ◀══▶ socket
//!     └──── interrupt ◀── signals (Ctrl-C)
//! ```
//!
//! A process that reads a socket is parked, and its thread goes on. So all clients share one thread.
//!
//! Try it with `nc localhost 7007`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::time::Duration;

use clap::Parser;
use csp::net::{TcpListener, TcpStream};
use csp::{Reader, Signal, alt, process, spawn};

/// Sends back what clients send, until a signal comes.
#[derive(Parser)]
struct Arguments {
    /// Port of the loopback interface to listen on (0 for any free port)
    #[arg(long, default_value_t = 7007)]
    port: u16,
}

/// Returns how many clients it has had.
#[process]
fn listener(socket: TcpListener, signals: Reader<Signal>) -> csp::Result<usize> {
    let mut clients = 0;
    loop {
        alt! {
            accepted = socket.accept() => match accepted {
                Ok((socket, _)) => {
                    clients += 1;
                    drop(spawn(client(socket)));
                }
                // Too many files are open. Some will be closed.
                Err(_) => csp::sleep(Duration::from_millis(10)),
            },
            signals.read() => return Ok(clients),
        }?;
    }
}

/// Serves a client until it goes, in whatever way it does.
#[process]
fn client(mut socket: TcpStream) -> io::Result<()> {
    let mut block = [0; 4096];
    loop {
        match socket.read(&mut block)? {
            0 => return Ok(()),
            size => socket.write_all(&block[..size])?,
        }
    }
}

/// Serves until a signal comes. Returns how many clients there were. Those that are still there are served until they go.
pub(crate) fn serve(socket: TcpListener, signals: Reader<Signal>) -> csp::Result<usize> {
    spawn(listener(socket, signals)).join()
}

#[csp::main]
fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port } = Arguments::parse();
    let socket = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", socket.local_addr()?);
    let clients = serve(socket, csp::signals([Signal::INT, Signal::TERM])?)?;
    println!("{clients} clients were here");
    Ok(())
}
