//! The servers of this library.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use csp::{process, spawn};

use super::{Protocol, serve_one};

/// Serves with a process for each connection, which waits for its socket.
pub(super) fn serve(listener: TcpListener, protocol: Protocol) {
    spawn(accepts(listener.into(), protocol)).join();
}

#[process]
fn accepts(listener: csp::net::TcpListener, protocol: Protocol) {
    loop {
        let (stream, _) = listener.accept().expect("a connection comes");
        stream.set_nodelay(true).expect("it is a socket of TCP");
        drop(spawn(connection(stream, protocol)));
    }
}

#[process]
fn connection(stream: csp::net::TcpStream, protocol: Protocol) {
    // A client that goes concerns no other process.
    let _ = serve_one(stream, protocol);
}

/// Serves with a process for each connection, whose calls block threads of the pool of `io`.
pub(super) fn serve_by_io(listener: TcpListener, protocol: Protocol) {
    spawn(accepts_by_io(listener, protocol)).join();
}

#[process]
fn accepts_by_io(listener: TcpListener, protocol: Protocol) {
    loop {
        let (stream, _) = csp::io(|| listener.accept()).expect("a connection comes");
        stream.set_nodelay(true).expect("it is a socket of TCP");
        drop(spawn(connection_by_io(stream, protocol)));
    }
}

#[process]
fn connection_by_io(stream: TcpStream, protocol: Protocol) {
    let _ = serve_one(ByIo(&stream), protocol);
}

/// A socket each of whose calls runs on the pool of `io`.
struct ByIo<'a>(&'a TcpStream);

impl Read for ByIo<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        csp::io(|| self.0.read(room))
    }
}

impl Write for ByIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        csp::io(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
