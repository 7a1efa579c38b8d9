//! Calls of the system that do not wait, though the descriptor is a blocking one.

use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::polled::Polled;
use super::registration::Deed;
use crate::backend::offload;

/// The flags of a call that does not wait.
const DO_NOT_WAIT: libc::c_int = libc::MSG_DONTWAIT;

/// The same for a send. The program gets an error, and no signal, if nobody receives.
#[cfg(not(target_vendor = "apple"))]
const SEND: libc::c_int = DO_NOT_WAIT | libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: libc::c_int = DO_NOT_WAIT;

#[allow(unsafe_code)]
fn uninit(buffer: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the layouts are the same, and `socket2` writes only initialised bytes there, as it says.
    unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) }
}

pub(super) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    SockRef::from(socket).recv_with_flags(uninit(buffer), DO_NOT_WAIT)
}

pub(super) fn peek(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    SockRef::from(socket).recv_with_flags(uninit(buffer), DO_NOT_WAIT | libc::MSG_PEEK)
}

pub(super) fn receive_from(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    SockRef::from(socket).recv_from_with_flags(uninit(buffer), DO_NOT_WAIT)
}

pub(super) fn peek_from(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    SockRef::from(socket).recv_from_with_flags(uninit(buffer), DO_NOT_WAIT | libc::MSG_PEEK)
}

pub(super) fn send(socket: &impl AsFd, buffer: &[u8]) -> io::Result<usize> {
    SockRef::from(socket).send_with_flags(buffer, SEND)
}

pub(super) fn send_vectored(socket: &impl AsFd, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
    /// The system refuses more.
    const MOST: usize = 1024;
    SockRef::from(socket).send_vectored_with_flags(&buffers[..buffers.len().min(MOST)], SEND)
}

pub(super) fn send_to(socket: &impl AsFd, buffer: &[u8], to: &SockAddr) -> io::Result<usize> {
    SockRef::from(socket).send_to_with_flags(buffer, to, SEND)
}

/// Returns the address of the internet in an answer of the system.
pub(super) fn internet((size, from): (usize, SockAddr)) -> io::Result<(usize, SocketAddr)> {
    let stranger = || io::Error::other("an address that is none of the internet");
    Ok((size, from.as_socket().ok_or_else(stranger)?))
}

/// The timeouts of a socket and its clones. The system has them too, for the time when the socket is a plain one again.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    read: AtomicU64,
    write: AtomicU64,
}

impl Timeouts {
    pub(super) fn new(read: Option<Duration>, write: Option<Duration>) -> Self {
        let this = Self::default();
        this.set_read(read);
        this.set_write(write);
        this
    }

    fn get(place: &AtomicU64) -> Option<Duration> {
        Some(place.load(Ordering::Relaxed)).filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }

    fn set(place: &AtomicU64, timeout: Option<Duration>) {
        let nanos = timeout.map_or(0, |timeout| timeout.as_nanos().try_into().unwrap_or(u64::MAX));
        place.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Option<Duration> {
        Self::get(&self.read)
    }

    pub(super) fn write(&self) -> Option<Duration> {
        Self::get(&self.write)
    }

    pub(super) fn set_read(&self, timeout: Option<Duration>) {
        Self::set(&self.read, timeout);
    }

    pub(super) fn set_write(&self, timeout: Option<Duration>) {
        Self::set(&self.write, timeout);
    }
}

/// Resolves names on the pool of `io`.
#[track_caller]
pub(super) fn resolve<A: ToSocketAddrs + Send>(address: A) -> io::Result<Vec<SocketAddr>> {
    let resolved = move || address.to_socket_addrs().map(Vec::from_iter);
    if has_names::<A>() { offload::io(resolved) } else { resolved() }
}

/// The `async` form of `resolve`.
pub(super) async fn resolve_async<A: ToSocketAddrs + Send + 'static>(
    address: A,
) -> io::Result<Vec<SocketAddr>> {
    let resolved = move || address.to_socket_addrs().map(Vec::from_iter);
    if has_names::<A>() { offload::io_async(resolved).await } else { resolved() }
}

/// Returns whether addresses of this type may have names to resolve. Resolved ones come in a vector.
fn has_names<A: ToSocketAddrs>() -> bool {
    std::any::type_name::<A::Iter>() == std::any::type_name::<std::vec::IntoIter<SocketAddr>>()
}

/// Tries addresses one after the other. Returns the first success, or the last error.
pub(super) fn first_of<T>(
    addresses: &[SocketAddr],
    mut attempt: impl FnMut(&SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut result = Err(no_address());
    for address in addresses {
        result = attempt(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

pub(super) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses")
}

/// A socket that is being connected. It is nobody else's yet, so it may be a non-blocking one until it is.
pub(super) struct Connecting {
    socket: Polled<Socket>,
    begun: bool,
}

impl Connecting {
    pub(super) fn new(address: &SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let socket = Polled::new(socket);
        let begun = match socket.get_ref().connect(&SockAddr::from(*address)) {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => true,
            Err(error) => return Err(error),
        };
        Ok(Self { socket, begun })
    }

    /// Says whether the connection is there: `WouldBlock` until then.
    fn outcome(socket: &Socket) -> io::Result<()> {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn wait(
        self,
        timeout: Option<Duration>,
        place: &'static Location<'static>,
    ) -> io::Result<std::net::TcpStream> {
        if self.begun {
            let socket = self.socket.get_ref();
            let site = self.socket.site(Deed::Connect, timeout, place);
            let connected = site.operate(|| Self::outcome(socket));
            connected.map_err(|error| is_late(error, timeout))?;
        }
        self.finish()
    }

    pub(super) async fn wait_async(
        self,
        place: &'static Location<'static>,
    ) -> io::Result<std::net::TcpStream> {
        if self.begun {
            let socket = self.socket.get_ref();
            let site = self.socket.site(Deed::Connect, None, place);
            site.operate_async(|| Self::outcome(socket)).await?;
        }
        self.finish()
    }

    fn finish(self) -> io::Result<std::net::TcpStream> {
        let socket = self.socket.into_inner();
        socket.set_nonblocking(false)?;
        Ok(socket.into())
    }
}

/// The standard library says so when the time for a connection is over.
fn is_late(error: io::Error, timeout: Option<Duration>) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock if timeout.is_some() => {
            io::Error::new(io::ErrorKind::TimedOut, "connection timed out")
        }
        _ => error,
    }
}
