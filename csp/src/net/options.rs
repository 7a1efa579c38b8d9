//! Functions of the sockets of the standard library that never wait, passed on.

/// Passes functions on to the socket of the standard library in `self.polled`.
macro_rules! pass_on {
    ($std:literal: $(fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $result:ty;)*) => {
        $(
            #[doc = concat!("Does what [`", $std, "::", stringify!($name), "`] does.")]
            ///
            /// # Errors
            /// The errors of that function.
            pub fn $name(&self $(, $argument: $type)*) -> $result {
                self.polled.get_ref().$name($($argument),*)
            }
        )*
    };
}

/// Implements what all sockets have: their descriptor, and the ways from and to other types.
macro_rules! is_socket {
    ($socket:ident, $std:ty) => {
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.polled.as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.polled)
            }
        }

        impl From<std::os::fd::OwnedFd> for $socket {
            fn from(descriptor: std::os::fd::OwnedFd) -> Self {
                <$std>::from(descriptor).into()
            }
        }

        impl From<$socket> for std::os::fd::OwnedFd {
            fn from(socket: $socket) -> Self {
                <$std>::from(socket).into()
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.polled.fmt(f)
            }
        }

        #[allow(private_interfaces, reason = "the trait is sealed")]
        impl $crate::net::alt::sealed::Descriptor for $socket {
            fn site(
                &self,
                deed: $crate::net::registration::Deed,
                place: &'static std::panic::Location<'static>,
            ) -> $crate::net::operate::Site<'_> {
                self.polled.site(deed, None, place)
            }
        }
    };
}

/// Implements what streams and sockets for datagrams have beside that: timeouts, clones, and waits for a direction.
macro_rules! has_timeouts {
    ($socket:ident, $std:ty, $name:literal) => {
        is_socket!($socket, $std);

        impl From<$std> for $socket {
            fn from(socket: $std) -> Self {
                let read = socket.read_timeout().ok().flatten();
                let write = socket.write_timeout().ok().flatten();
                let timeouts = $crate::net::calls::Timeouts::new(read, write);
                Self { polled: $crate::net::Polled::new(socket), timeouts: timeouts.into() }
            }
        }

        impl From<$socket> for $std {
            fn from(socket: $socket) -> Self {
                socket.polled.into_inner()
            }
        }

        impl $socket {
            fn receiving(&self, place: &'static std::panic::Location<'static>) -> Site<'_> {
                self.polled.site(Deed::Receive, self.timeouts.read(), place)
            }

            fn sending(&self, place: &'static std::panic::Location<'static>) -> Site<'_> {
                self.polled.site(Deed::Transmit, self.timeouts.write(), place)
            }

            /// Makes another handle to the same socket, with the same timeouts.
            ///
            /// # Errors
            /// Returns an error if the system has no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                let socket = self.polled.get_ref().try_clone()?;
                Ok(Self { polled: Polled::new(socket), timeouts: Arc::clone(&self.timeouts) })
            }

            #[doc = concat!("Sets the time after which a read fails, as [`", $name, "::set_read_timeout`] does.")]
            /// The error is of the kind [`WouldBlock`](io::ErrorKind::WouldBlock), as on any Unix.
            ///
            /// # Errors
            /// Returns an error if the time is zero.
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.polled.get_ref().set_read_timeout(timeout)?;
                self.timeouts.set_read(timeout);
                Ok(())
            }

            #[doc = concat!("Sets the time after which a write fails, as [`", $name, "::set_write_timeout`] does.")]
            ///
            /// # Errors
            /// Returns an error if the time is zero.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.polled.get_ref().set_write_timeout(timeout)?;
                self.timeouts.set_write(timeout);
                Ok(())
            }

            /// Returns the time after which a read fails.
            ///
            /// # Errors
            /// None: the result is that of the standard library.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.timeouts.read())
            }

            /// Returns the time after which a write fails.
            ///
            /// # Errors
            /// None: the result is that of the standard library.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.timeouts.write())
            }

            /// Waits until something can be received, or the other side has ended. In `alt!` it is a guard.
            ///
            /// # Errors
            /// Returns an error if the socket can't be waited for.
            #[track_caller]
            pub fn readable(&self) -> io::Result<()> {
                self.polled.readable()
            }

            /// The `async` form of [`readable`](Self::readable).
            ///
            /// # Errors
            /// As [`readable`](Self::readable).
            #[track_caller]
            pub fn readable_async(&self) -> impl Future<Output = io::Result<()>> {
                self.polled.readable_async()
            }

            /// Waits until something can be sent, or the other side has ended. In `alt!` it is a guard.
            ///
            /// # Errors
            /// Returns an error if the socket can't be waited for.
            #[track_caller]
            pub fn writable(&self) -> io::Result<()> {
                self.polled.writable()
            }

            /// The `async` form of [`writable`](Self::writable).
            ///
            /// # Errors
            /// As [`writable`](Self::writable).
            #[track_caller]
            pub fn writable_async(&self) -> impl Future<Output = io::Result<()>> {
                self.polled.writable_async()
            }
        }
    };
}

/// Implements what sockets for datagrams have beside timeouts. `$known` makes an address of the library that the caller knows of the
/// system's.
macro_rules! is_datagram {
    ($socket:ident, $std:ty, $name:literal, $address:ty, $known:path) => {
        has_timeouts!($socket, $std, $name);

        impl $socket {
            /// Receives a datagram. The rest is lost if the buffer is too small. Returns its size there, and where it is from.
            ///
            /// # Errors
            /// The errors of the system.
            #[track_caller]
            pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, $address)> {
                let site = self.receiving(Location::caller());
                site.operate(|| $crate::net::alt::sealed::Receives::receive_now(self, buffer))
            }

            /// The `async` form of [`recv_from`](Self::recv_from).
            ///
            /// # Errors
            /// As [`recv_from`](Self::recv_from).
            #[track_caller]
            pub fn recv_from_async(
                &self,
                buffer: &mut [u8],
            ) -> impl Future<Output = io::Result<(usize, $address)>> {
                let site = self.receiving(Location::caller());
                site.operate_async(move || {
                    $crate::net::alt::sealed::Receives::receive_now(self, buffer)
                })
            }

            /// Receives a datagram. If the socket is [connected](Self::connect), it comes from there.
            ///
            /// # Errors
            /// The errors of the system.
            #[track_caller]
            pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let socket = self.polled.get_ref();
                self.receiving(Location::caller()).operate(|| calls::receive(socket, buffer))
            }

            /// The `async` form of [`recv`](Self::recv).
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            #[track_caller]
            pub fn recv_async(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
                let (site, socket) = (self.receiving(Location::caller()), self.polled.get_ref());
                site.operate_async(move || calls::receive(socket, buffer))
            }

            /// Sends a datagram to where the socket is [connected](Self::connect).
            ///
            /// # Errors
            /// The errors of the system.
            #[track_caller]
            pub fn send(&self, buffer: &[u8]) -> io::Result<usize> {
                let socket = self.polled.get_ref();
                self.sending(Location::caller()).operate(|| calls::send(socket, buffer))
            }

            /// The `async` form of [`send`](Self::send).
            ///
            /// # Errors
            /// As [`send`](Self::send).
            #[track_caller]
            pub fn send_async(&self, buffer: &[u8]) -> impl Future<Output = io::Result<usize>> {
                let (site, socket) = (self.sending(Location::caller()), self.polled.get_ref());
                site.operate_async(move || calls::send(socket, buffer))
            }
        }

        impl $crate::net::alt::sealed::Receives for $socket {
            type Address = $address;

            fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, $address)> {
                calls::receive_from(self.polled.get_ref(), buffer).and_then($known)
            }
        }
    };
}

/// Implements `Read`, `Write` and their `async` forms.
macro_rules! is_stream {
    ($stream:ident, $std:ty, $name:literal) => {
        has_timeouts!($stream, $std, $name);

        impl $stream {
            /// The `async` form of `read`: reads what there is, at least one byte. Returns 0 at the end of the stream.
            ///
            /// If the future is dropped before it completes, nothing was read.
            ///
            /// # Errors
            /// The errors of a read.
            #[track_caller]
            pub fn read_async(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
                let (site, socket) = (self.receiving(Location::caller()), self.polled.get_ref());
                site.read_async(buffer.len(), move || calls::receive(socket, buffer))
            }

            /// The `async` form of `write`: writes what there is room for, at least one byte.
            ///
            /// If the future is dropped before it completes, nothing was written.
            ///
            /// # Errors
            /// The errors of a write.
            #[track_caller]
            pub fn write_async(&self, buffer: &[u8]) -> impl Future<Output = io::Result<usize>> {
                let (site, socket) = (self.sending(Location::caller()), self.polled.get_ref());
                site.operate_async(move || calls::send(socket, buffer))
            }

            /// The `async` form of `read_exact`.
            ///
            /// If the future is dropped before it completes, a part may have been read.
            ///
            /// # Errors
            /// The errors of a read, and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
            #[track_caller]
            pub fn read_exact_async(
                &self,
                buffer: &mut [u8],
            ) -> impl Future<Output = io::Result<()>> {
                let (site, socket) = (self.receiving(Location::caller()), self.polled.get_ref());
                async move {
                    let mut rest = buffer;
                    while !rest.is_empty() {
                        match site.read_async(rest.len(), || calls::receive(socket, rest)).await? {
                            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                            size => rest = &mut rest[size..],
                        }
                    }
                    Ok(())
                }
            }

            /// The `async` form of `write_all`.
            ///
            /// If the future is dropped before it completes, a part may have been written.
            ///
            /// # Errors
            /// The errors of a write.
            #[track_caller]
            pub fn write_all_async(&self, buffer: &[u8]) -> impl Future<Output = io::Result<()>> {
                let (site, socket) = (self.sending(Location::caller()), self.polled.get_ref());
                async move {
                    let mut rest = buffer;
                    while !rest.is_empty() {
                        let size = site.operate_async(|| calls::send(socket, rest)).await?;
                        rest = &rest[size..];
                    }
                    Ok(())
                }
            }
        }

        impl Read for &$stream {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let (site, socket) = (self.receiving(Location::caller()), self.polled.get_ref());
                site.read(buffer.len(), || calls::receive(socket, buffer))
            }
        }

        impl Write for &$stream {
            #[track_caller]
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                let socket = self.polled.get_ref();
                self.sending(Location::caller()).operate(|| calls::send(socket, buffer))
            }

            #[track_caller]
            fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
                let socket = self.polled.get_ref();
                self.sending(Location::caller()).operate(|| calls::send_vectored(socket, buffers))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Read for $stream {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }
        }

        impl Write for $stream {
            #[track_caller]
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                (&*self).write(buffer)
            }

            #[track_caller]
            fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

/// Implements what listeners have.
macro_rules! is_listener {
    ($listener:ident, $stream:ident, $std:ty, $address:ty) => {
        is_socket!($listener, $std);

        impl From<$std> for $listener {
            /// The listener becomes a non-blocking one, because several processes may wait for one connection.
            fn from(listener: $std) -> Self {
                let _ = listener.set_nonblocking(true);
                Self { polled: Polled::new(listener) }
            }
        }

        impl From<$listener> for $std {
            /// The listener becomes a blocking one, and so do its clones.
            fn from(listener: $listener) -> Self {
                let listener = listener.polled.into_inner();
                let _ = listener.set_nonblocking(false);
                listener
            }
        }

        impl $listener {
            /// Accepts the next connection, and waits until there is one. In `alt!` it is a guard.
            ///
            /// # Errors
            /// The errors of the system. If the program has no descriptor left, the connection waits, and the listener goes on.
            #[track_caller]
            pub fn accept(&self) -> io::Result<($stream, $address)> {
                let site = self.polled.site(Deed::Accept, None, Location::caller());
                site.operate(|| self.try_accept())
            }

            /// The `async` form of [`accept`](Self::accept). If the future is dropped before it completes, nothing was
            /// accepted.
            ///
            /// # Errors
            /// As [`accept`](Self::accept).
            #[track_caller]
            pub fn accept_async(&self) -> impl Future<Output = io::Result<($stream, $address)>> {
                let site = self.polled.site(Deed::Accept, None, Location::caller());
                site.operate_async(|| self.try_accept())
            }

            fn try_accept(&self) -> io::Result<($stream, $address)> {
                let (stream, from) = self.polled.get_ref().accept()?;
                // Some systems let it inherit that from the listener.
                if !cfg!(any(target_os = "linux", target_os = "android")) {
                    stream.set_nonblocking(false)?;
                }
                Ok(($stream { polled: Polled::new(stream), timeouts: Arc::default() }, from))
            }

            /// Returns an iterator over the connections. It never ends.
            pub fn incoming(&self) -> impl Iterator<Item = io::Result<$stream>> {
                std::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
            }

            /// Makes another handle to the same listener.
            ///
            /// # Errors
            /// Returns an error if the system has no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                Ok(Self { polled: Polled::new(self.polled.get_ref().try_clone()?) })
            }
        }

        impl $crate::net::alt::sealed::Listens for $listener {
            type Stream = $stream;
            type Address = $address;

            fn accept_now(&self) -> io::Result<($stream, $address)> {
                self.try_accept()
            }
        }
    };
}

pub(super) use {has_timeouts, is_datagram, is_listener, is_socket, is_stream, pass_on};
