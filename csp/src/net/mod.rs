// Floor 6. Sockets and other descriptors.

//! Sockets whose waiting processes park: ten thousand connections are ten thousand straight-line processes.
//!
//! The types have the names, functions and errors of those in [`std::net`] and [`std::os::unix::net`]. They are plain sockets: `From`
//! leads to the type of the standard library and back. A process reads and writes as if it had a thread of its own.
//!
//! - On a coroutine an operation that would wait parks the process, and its thread goes on.
//! - On a thread it waits in the system.
//! - An `async fn` awaits [`read_async`](TcpStream::read_async) and its like.
//!
//! All that takes `Read` and `Write` parks its process too: TLS, HTTP, clients of databases.
//!
//! ```
//! use std::error::Error;
//! use std::io::{BufRead, BufReader, Write};
//! use std::time::Duration;
//! use csp::net::{TcpListener, TcpStream};
//! use csp::{Channel, Reader, Writer, alt, parallel, process, spawn};
//!
//! type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
//!
//! #[process]
//! fn serve(client: TcpStream, room: Writer<String>) -> Outcome {
//!     for line in BufReader::new(&client).lines() {
//!         room.write(line?)?;
//!     }
//!     Ok(())
//! }
//!
//! #[process]
//! fn accept(listener: TcpListener, stop: Reader<()>, room: Writer<String>) -> Outcome {
//!     loop {
//!         alt! {
//!             client = listener.accept() => match client {
//!                 Ok((client, _)) => drop(spawn(serve(client, room.clone()))),
//!                 Err(error) => {
//!                     eprintln!("{error}"); // too many open files, for example
//!                     csp::sleep(Duration::from_millis(10));
//!                 }
//!             },
//!             stop.read() => return Ok(()),
//!         }?;
//!     }
//! }
//!
//! #[process]
//! fn clients(to: std::net::SocketAddr, room: Reader<String>, stop: Writer<()>) -> Outcome {
//!     for name in ["Ada", "Grace"] {
//!         writeln!(TcpStream::connect(to)?, "hello from {name}")?;
//!         assert_eq!(room.read()?, format!("hello from {name}"));
//!     }
//!     stop.write(())?;
//!     Ok(())
//! }
//!
//! let (stop, room) = (Channel::new(), Channel::new());
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let (accepted, told) = parallel!(
//!     accept(listener, stop.reader(), room.writer()),
//!     clients(address, room.reader(), stop.writer()),
//! );
//! accepted?;
//! told?;
//! # Ok::<(), Box<dyn Error + Send + Sync>>(())
//! ```
//!
//! # Guards
//!
//! `listener.accept()`, `stream.readable()`, `stream.writable()` and `socket.recv_from(&mut buffer)` are guards of
//! [`alt!`](crate::alt) and [`pri_alt!`](crate::pri_alt), and functions of [`Alternation`](crate::Alternation). The program above
//! chooses between a connection and a channel. Each gives a [`Result`](io::Result). A guard that is not chosen accepts, reads and loses
//! nothing. If another process takes what made a guard ready, the choice begins anew.
//!
//! A fair choice learns within 0.1 ms that a descriptor has become ready. So if another guard is ready, it may take that one first.
//! A choice by priority asks the system each time.
//!
//! # Waiting and ending
//!
//! A process that waits for a descriptor can be woken from outside, so it is in no deadlock. [`network`](crate::network()) shows it, as in
//! *reading from 127.0.0.1:53211, fd 9*. Poison interrupts no operation. A process that is to stop at poison chooses between the socket
//! and a channel. A timeout ends an operation by an error of the kind [`WouldBlock`](io::ErrorKind::WouldBlock), as on any Unix.
//! A clone's wait ends when the peer shuts down.
//!
//! # Descriptors
//!
//! Whether a descriptor is non-blocking belongs to the open file, which clones and other programs share. Streams and sockets for datagrams
//! stay blocking ones, and each call asks not to wait. Descriptors of others ([`Polled`]) are never changed. Listeners are non-blocking
//! until they are turned into those of the standard library. So there is no `set_nonblocking`.
//!
//! Names are resolved on the pool of [`io`](fn@crate::io). Ordinary files never wait for an event, so they stay with `io` too.
//!
//! The module exists on Unix, where the crate `mio` knows the event queue of the system.
//!
//! Idea: gevent, which makes thousands of greenlets of blocking code.

pub(crate) mod alt;
mod calls;
mod guard;
mod operate;
mod options;
mod polled;
mod registration;
mod tcp;
mod udp;
mod unix;

#[cfg(doc)]
use std::io;

pub use self::alt::{Descriptor, Listens, Receives};
pub(crate) use self::polled::PIECE;
pub use self::polled::Polled;
pub use self::tcp::{TcpListener, TcpStream};
pub use self::udp::UdpSocket;
pub use self::unix::{UnixDatagram, UnixListener, UnixStream};
