//! Blocking calls in the company of coroutines.
//!
//! A coroutine that makes a blocking call, to `accept`, `read_line` or a database, holds up all the others of its
//! thread. [`csp::io`](fn@crate::io) makes the call on another thread while the process waits. `#[csp::io]` does so
//! for a whole function. A [`Call`] is a guard, so a process can wait for a call and for channels at once.
//!
//! ```
//! use csp::{Channel, Reader, alt, io::Call, parallel, process};
//! use std::net::{TcpListener, TcpStream};
//!
//! /// Accepts connections until it is told to stop.
//! #[process]
//! fn server(listener: TcpListener, stop: Reader<()>) -> csp::Result<usize> {
//!     let accept = Call::new(move || listener.accept());
//!     let mut served = 0;
//!     loop {
//!         alt! {
//!             connection = io(accept) => served += usize::from(connection.is_ok()),
//!             _ = stop.read()         => return Ok(served),
//!         }?;
//!     }
//! }
//!
//! # #[process]
//! # fn clients(address: std::net::SocketAddr, stop: csp::Writer<()>) -> csp::Result {
//! #     for _ in 0..3 {
//! #         csp::io(|| std::io::Read::read(&mut TcpStream::connect(address).unwrap(), &mut [0])).unwrap();
//! #     }
//! #     Ok(stop.write(())?)
//! # }
//! # let (listener, stop) = (TcpListener::bind("127.0.0.1:0")?, Channel::new());
//! # let address = listener.local_addr()?;
//! # let (served, _) = parallel!(server(listener, stop.reader()), clients(address, stop.writer()));
//! # assert_eq!(served, Ok(3));
//! # Ok::<(), std::io::Error>(())
//! ```

pub use super::guards::call::Call;
