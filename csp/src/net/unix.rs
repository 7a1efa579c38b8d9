//! Sockets of the file system.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockAddr;

use super::calls::{self, Timeouts};
use super::operate::Site;
use super::options::{has_timeouts, is_datagram, is_listener, is_socket, is_stream, pass_on};
use super::polled::Polled;
use super::registration::Deed;
use crate::backend::offload;

/// A connection by a socket of the file system, as [`std::os::unix::net::UnixStream`]. A process that waits for it parks, and its
/// thread goes on.
///
/// ```
/// use std::io::{Read, Write};
/// use csp::net::UnixStream;
/// use csp::{parallel, process};
///
/// #[process]
/// fn says(stream: UnixStream) -> std::io::Result<()> {
///     (&stream).write_all(b"hello")
/// }
/// #[process]
/// fn hears(stream: UnixStream) -> std::io::Result<String> {
///     let mut text = String::new();
///     (&stream).read_to_string(&mut text)?;
///     Ok(text)
/// }
///
/// let (one, other) = UnixStream::pair()?;
/// assert_eq!(parallel!(says(one), hears(other)).1?, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    pub(super) polled: Polled<net::UnixStream>,
    pub(super) timeouts: Arc<Timeouts>,
}

/// A socket of the file system that accepts connections, as [`std::os::unix::net::UnixListener`]. It is a non-blocking descriptor, as a
/// [`TcpListener`](super::TcpListener) is.
pub struct UnixListener {
    pub(super) polled: Polled<net::UnixListener>,
}

/// A socket of the file system for datagrams, as [`std::os::unix::net::UnixDatagram`]. A process that waits for it parks, and its thread
/// goes on.
pub struct UnixDatagram {
    pub(super) polled: Polled<net::UnixDatagram>,
    pub(super) timeouts: Arc<Timeouts>,
}

is_stream!(UnixStream, net::UnixStream, "std::os::unix::net::UnixStream");
is_listener!(UnixListener, UnixStream, net::UnixListener, SocketAddr);
is_datagram!(
    UnixDatagram,
    net::UnixDatagram,
    "std::os::unix::net::UnixDatagram",
    SocketAddr,
    named
);

impl UnixStream {
    /// Connects to the listener of this name. The system has no event for that, so a thread of the pool of [`io`](fn@crate::io) waits
    /// if the listener has too many connections to accept.
    ///
    /// # Errors
    /// The errors of the system.
    #[track_caller]
    pub fn connect<P: AsRef<Path> + Send>(path: P) -> io::Result<Self> {
        offload::io(move || net::UnixStream::connect(path)).map(Self::new)
    }

    /// The `async` form of [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_async<P: AsRef<Path> + Send + 'static>(path: P) -> io::Result<Self> {
        offload::io_async(move || net::UnixStream::connect(path)).await.map(Self::new)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        net::UnixStream::pair().map(|(one, other)| (Self::new(one), Self::new(other)))
    }

    /// A new connection has no timeouts.
    fn new(stream: net::UnixStream) -> Self {
        Self { polled: Polled::new(stream), timeouts: Arc::default() }
    }

    pass_on! { "std::os::unix::net::UnixStream":
        fn peer_addr(&self) -> io::Result<SocketAddr>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}

impl UnixListener {
    /// Makes a socket of this name, and listens.
    ///
    /// # Errors
    /// The errors of the system.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        let listener = net::UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { polled: Polled::new(listener) })
    }

    pass_on! { "std::os::unix::net::UnixListener":
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}

impl UnixDatagram {
    /// Makes a socket of this name.
    ///
    /// # Errors
    /// The errors of the system.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        net::UnixDatagram::bind(path).map(Self::new)
    }

    /// Makes a socket without a name.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub fn unbound() -> io::Result<Self> {
        net::UnixDatagram::unbound().map(Self::new)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        net::UnixDatagram::pair().map(|(one, other)| (Self::new(one), Self::new(other)))
    }

    fn new(socket: net::UnixDatagram) -> Self {
        Self { polled: Polled::new(socket), timeouts: Arc::default() }
    }

    /// Sends to the socket of this name only, and receives only from it, from now on.
    ///
    /// # Errors
    /// The errors of the system.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.polled.get_ref().connect(path)
    }

    /// Sends a datagram to the socket of this name. The system has no event for room there, so a thread of the pool of
    /// [`io`](fn@crate::io) waits if there is none.
    ///
    /// # Errors
    /// The errors of the system.
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, buffer: &[u8], path: P) -> io::Result<usize> {
        let (socket, to) = (self.polled.get_ref(), SockAddr::unix(&path)?);
        match calls::send_to(socket, buffer, &to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let path = path.as_ref();
                offload::io(|| socket.send_to(buffer, path))
            }
            result => result,
        }
    }

    pass_on! { "std::os::unix::net::UnixDatagram":
        fn peer_addr(&self) -> io::Result<SocketAddr>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}

/// Returns the name in an answer of the system. A socket may have none.
fn named((size, from): (usize, SockAddr)) -> io::Result<(usize, SocketAddr)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = from.as_abstract_namespace() {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        return Ok((size, SocketAddr::from_abstract_name(name)?));
    }
    let path = from.as_pathname().unwrap_or(Path::new(""));
    Ok((size, SocketAddr::from_pathname(path)?))
}
