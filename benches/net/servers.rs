//! The servers: each answers what it is sent, or each request with the same page.

mod ours;
mod peers;

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};

/// The page that is asked for.
pub(crate) const BODY: &str = "hello, world\n";
const ANY_PORT: &str = "127.0.0.1:0";
/// The room for what comes on a connection.
const ROOM: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// A coroutine a connection, on one core.
    Csp,
    /// The same on all cores.
    Cores,
    /// A coroutine a connection, and a thread of the pool of `io` for each call.
    Io,
    Threads,
    Go,
    Tokio,
    May,
}

impl Library {
    pub(crate) const ALL: &[Self] =
        &[Self::Csp, Self::Cores, Self::Io, Self::Threads, Self::Go, Self::Tokio, Self::May];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csp => "csp",
            Self::Cores => "csp-cores",
            Self::Io => "csp-io",
            Self::Threads => "threads",
            Self::Go => "Go",
            Self::Tokio => "tokio",
            Self::May => "may",
        }
    }

    pub(crate) fn is_here(self) -> bool {
        self != Self::Go || csp_benches::go::is_here()
    }
}

/// The answers of a server.
#[derive(Clone, Copy)]
enum Protocol {
    Echo,
    Http,
}

/// Serves for ever.
pub(crate) fn serve(library: &str, protocol: &str) {
    crate::load::raise_limit();
    let library = Library::ALL.iter().find(|one| one.name() == library).expect("a library");
    let protocol = if protocol == "http" { Protocol::Http } else { Protocol::Echo };
    if *library == Library::May {
        return peers::may(protocol);
    }
    let listener = TcpListener::bind(ANY_PORT).expect("a port is free");
    says(listener.local_addr());
    match library {
        Library::Csp | Library::Cores => ours::serve(listener, protocol),
        Library::Io => ours::serve_by_io(listener, protocol),
        Library::Threads => peers::threads(listener, protocol),
        Library::Tokio => peers::tokio(listener, protocol),
        Library::May | Library::Go => unreachable!("it listens by itself"),
    }
}

/// Says where the server listens.
fn says(address: io::Result<SocketAddr>) {
    println!("{}", address.expect("it is bound").port());
}

/// Serves one connection by blocking calls, or by calls that look so.
fn serve_one(mut stream: impl Read + Write, protocol: Protocol) -> io::Result<()> {
    let mut room = [0; ROOM];
    let mut waiting = Requests::default();
    loop {
        match stream.read(&mut room)? {
            0 => return Ok(()),
            size => stream.write_all(waiting.answer(&room[..size], protocol)?)?,
        }
    }
}

/// The bytes that have come on a connection and are not answered, and the answers.
#[derive(Default)]
struct Requests {
    waiting: Vec<u8>,
    answers: Vec<u8>,
}

impl Requests {
    /// Returns the answers to what has come.
    fn answer<'a>(&'a mut self, come: &'a [u8], protocol: Protocol) -> io::Result<&'a [u8]> {
        if matches!(protocol, Protocol::Echo) {
            return Ok(come);
        }
        self.waiting.extend_from_slice(come);
        self.answers.clear();
        while let Some(size) = head_size(&self.waiting)? {
            self.waiting.drain(..size);
            let mut head = String::new();
            let _ = write!(head, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len());
            self.answers.extend_from_slice(head.as_bytes());
            self.answers.extend_from_slice(BODY.as_bytes());
        }
        Ok(&self.answers)
    }
}

/// Returns the size of the first request, if it is there. None has a body.
fn head_size(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let parsed = httparse::Request::new(&mut headers).parse(bytes).map_err(io::Error::other)?;
    Ok(match parsed {
        httparse::Status::Complete(size) => Some(size),
        httparse::Status::Partial => None,
    })
}
