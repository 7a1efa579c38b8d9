//! TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::calls::{self, Connecting, Timeouts};
use super::operate::Site;
use super::options::{has_timeouts, is_listener, is_socket, is_stream, pass_on};
use super::polled::Polled;
use super::registration::Deed;

/// A TCP connection, as [`std::net::TcpStream`]. A process that waits for it parks, and its thread goes on.
///
/// `Read` and `Write` are there for `&TcpStream` too, so one process may read while another writes.
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use csp::net::{TcpListener, TcpStream};
/// use csp::{parallel, process};
///
/// #[process]
/// fn server(listener: TcpListener) -> std::io::Result<()> {
///     let (client, _) = listener.accept()?;
///     let line = BufReader::new(&client).lines().next().unwrap()?;
///     writeln!(&client, "{}", line.to_uppercase())
/// }
/// #[process]
/// fn client(to: std::net::SocketAddr) -> std::io::Result<String> {
///     let server = TcpStream::connect(to)?;
///     writeln!(&server, "hello")?;
///     BufReader::new(&server).lines().next().unwrap()
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let (_, answer) = parallel!(server(listener), client(address));
/// assert_eq!(answer?, "HELLO");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    pub(super) polled: Polled<std::net::TcpStream>,
    pub(super) timeouts: Arc<Timeouts>,
}

/// A TCP socket that accepts connections, as [`std::net::TcpListener`].
///
/// A listener is a non-blocking descriptor, because the system has no other way for several processes to wait for one connection.
/// It becomes a blocking one when it is turned into one of the standard library.
///
/// ```
/// use csp::net::TcpListener;
/// use csp::{Channel, Reader, alt, process};
///
/// /// Accepts until it is stopped. No connection is lost, because a guard that is not chosen accepts nothing.
/// #[process]
/// fn accepts(listener: TcpListener, stop: Reader<()>) -> std::io::Result<usize> {
///     let mut count = 0;
///     loop {
///         let chosen = alt! {
///             client = listener.accept() => client.map(drop),
///             stop.read() => return Ok(count),
///         };
///         match chosen {
///             Ok(accepted) => accepted?,
///             Err(_) => return Ok(count), // nobody can stop it any more
///         }
///         count += 1;
///     }
/// }
///
/// let (listener, stop) = (TcpListener::bind("127.0.0.1:0")?, Channel::new());
/// let address = listener.local_addr()?;
/// let server = csp::spawn(accepts(listener, stop.reader()));
/// csp::net::TcpStream::connect(address)?;
/// stop.writer().write(()).unwrap();
/// assert!(server.join()? <= 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    pub(super) polled: Polled<std::net::TcpListener>,
}

is_stream!(TcpStream, std::net::TcpStream, "std::net::TcpStream");
is_listener!(TcpListener, TcpStream, std::net::TcpListener, SocketAddr);

impl TcpStream {
    /// Connects to the first of these addresses that accepts. Names are resolved on the pool of [`io`](fn@crate::io).
    ///
    /// # Errors
    /// Returns the error of the last address.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs + Send>(address: A) -> io::Result<Self> {
        let place = Location::caller();
        let addresses = calls::resolve(address)?;
        let connect = |to: &_| Connecting::new(to)?.wait(None, place);
        Ok(Self::connected(calls::first_of(&addresses, connect)?))
    }

    /// Connects to this address within this time.
    ///
    /// # Errors
    /// Returns the error of the system, [`TimedOut`](io::ErrorKind::TimedOut), or
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a time of zero.
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            let why = "cannot set a 0 duration timeout";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let connecting = Connecting::new(address)?;
        Ok(Self::connected(connecting.wait(Some(timeout), Location::caller())?))
    }

    /// The `async` form of [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    #[track_caller]
    pub fn connect_async<A: ToSocketAddrs + Send + 'static>(
        address: A,
    ) -> impl Future<Output = io::Result<Self>> {
        let place = Location::caller();
        async move {
            let mut last = calls::no_address();
            for address in calls::resolve_async(address).await? {
                match Connecting::new(&address) {
                    Err(error) => last = error,
                    Ok(connecting) => match connecting.wait_async(place).await {
                        Ok(stream) => return Ok(Self::connected(stream)),
                        Err(error) => last = error,
                    },
                }
            }
            Err(last)
        }
    }

    /// A new connection has no timeouts.
    fn connected(stream: std::net::TcpStream) -> Self {
        Self { polled: Polled::new(stream), timeouts: Arc::default() }
    }

    /// Reads what there is, and leaves it there.
    ///
    /// # Errors
    /// The errors of a read.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.polled.get_ref();
        self.receiving(Location::caller()).operate(|| calls::peek(socket, buffer))
    }

    /// The `async` form of [`peek`](Self::peek).
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    #[track_caller]
    pub fn peek_async(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let (site, socket) = (self.receiving(Location::caller()), self.polled.get_ref());
        site.operate_async(move || calls::peek(socket, buffer))
    }

    pass_on! { "std::net::TcpStream":
        fn peer_addr(&self) -> io::Result<SocketAddr>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;
        fn nodelay(&self) -> io::Result<bool>;
        fn set_ttl(&self, ttl: u32) -> io::Result<()>;
        fn ttl(&self) -> io::Result<u32>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}

impl TcpListener {
    /// Binds to the first of these addresses that is free, and listens. Names are resolved on the pool of
    /// [`io`](fn@crate::io).
    ///
    /// # Errors
    /// Returns the error of the last address.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs + Send>(address: A) -> io::Result<Self> {
        let addresses = calls::resolve(address)?;
        let listener = std::net::TcpListener::bind(&addresses[..])?;
        listener.set_nonblocking(true)?;
        Ok(Self { polled: Polled::new(listener) })
    }

    pass_on! { "std::net::TcpListener":
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn set_ttl(&self, ttl: u32) -> io::Result<()>;
        fn ttl(&self) -> io::Result<u32>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}
