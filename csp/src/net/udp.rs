//! UDP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockAddr;

use super::calls::{self, Timeouts};
use super::operate::Site;
use super::options::{has_timeouts, is_datagram, is_socket, pass_on};
use super::polled::Polled;
use super::registration::Deed;

/// A UDP socket, as [`std::net::UdpSocket`]. A process that waits for it parks, and its thread goes on.
///
/// ```
/// use csp::net::UdpSocket;
/// use csp::{parallel, process};
/// use std::net::SocketAddr;
///
/// #[process]
/// fn asks(socket: UdpSocket, to: SocketAddr) -> std::io::Result<u8> {
///     socket.send_to(&[20], to)?;
///     let mut answer = [0];
///     socket.recv_from(&mut answer)?;
///     Ok(answer[0])
/// }
/// #[process]
/// fn doubles(socket: UdpSocket) -> std::io::Result<()> {
///     let mut number = [0];
///     let (_, from) = socket.recv_from(&mut number)?;
///     socket.send_to(&[number[0] * 2], from)?;
///     Ok(())
/// }
///
/// let (client, server) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let to = server.local_addr()?;
/// let (answer, _) = parallel!(asks(client, to), doubles(server));
/// assert_eq!(answer?, 40);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    pub(super) polled: Polled<std::net::UdpSocket>,
    pub(super) timeouts: Arc<Timeouts>,
}

is_datagram!(UdpSocket, std::net::UdpSocket, "std::net::UdpSocket", SocketAddr, calls::internet);

impl UdpSocket {
    /// Binds to the first of these addresses that is free. Names are resolved on the pool of [`io`](fn@crate::io).
    ///
    /// # Errors
    /// Returns the error of the last address.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs + Send>(address: A) -> io::Result<Self> {
        let addresses = calls::resolve(address)?;
        let socket = std::net::UdpSocket::bind(&addresses[..])?;
        Ok(Self { polled: Polled::new(socket), timeouts: Arc::default() })
    }

    /// Sends to this address only, and receives only from it, from now on.
    ///
    /// # Errors
    /// Returns the error of the last address.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs + Send>(&self, address: A) -> io::Result<()> {
        let addresses = calls::resolve(address)?;
        self.polled.get_ref().connect(&addresses[..])
    }

    /// Receives a datagram, and leaves it there.
    ///
    /// # Errors
    /// The errors of the system.
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let socket = self.polled.get_ref();
        let site = self.receiving(Location::caller());
        site.operate(|| calls::peek_from(socket, buffer).and_then(calls::internet))
    }

    /// Receives a datagram from the [connected](Self::connect) address, and leaves it there.
    ///
    /// # Errors
    /// The errors of the system.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.polled.get_ref();
        self.receiving(Location::caller()).operate(|| calls::peek(socket, buffer))
    }

    /// Sends a datagram to the first of these addresses.
    ///
    /// # Errors
    /// The errors of the system.
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs + Send>(&self, buffer: &[u8], address: A) -> io::Result<usize> {
        let place = Location::caller();
        let to = calls::resolve(address)?.first().copied().ok_or_else(calls::no_address)?;
        let (to, socket) = (SockAddr::from(to), self.polled.get_ref());
        self.sending(place).operate(|| calls::send_to(socket, buffer, &to))
    }

    /// The `async` form of [`send_to`](Self::send_to).
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    #[track_caller]
    pub fn send_to_async(
        &self,
        buffer: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> {
        let (site, socket) = (self.sending(Location::caller()), self.polled.get_ref());
        let to = SockAddr::from(to);
        site.operate_async(move || calls::send_to(socket, buffer, &to))
    }

    pass_on! { "std::net::UdpSocket":
        fn peer_addr(&self) -> io::Result<SocketAddr>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn set_broadcast(&self, broadcast: bool) -> io::Result<()>;
        fn broadcast(&self) -> io::Result<bool>;
        fn set_ttl(&self, ttl: u32) -> io::Result<()>;
        fn ttl(&self) -> io::Result<u32>;
        fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()>;
        fn multicast_loop_v4(&self) -> io::Result<bool>;
        fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()>;
        fn multicast_ttl_v4(&self) -> io::Result<u32>;
        fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()>;
        fn multicast_loop_v6(&self) -> io::Result<bool>;
        fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()>;
        fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()>;
        fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()>;
        fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()>;
        fn take_error(&self) -> io::Result<Option<io::Error>>;
    }
}
