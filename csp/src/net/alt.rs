//! Descriptors as guards of `alt!`, `pri_alt!` and [`Alternation`].

use std::io;
use std::os::fd::AsFd;
use std::panic::Location;

use super::operate::Site;
use super::polled::{Polled, is_ready};
use super::registration::Deed;
use crate::choice::alternation::Alternation;
use crate::choice::guard::{Guard, LeftValue};

/// A listener, or a reference to one: what the guard `listener.accept()` takes.
#[diagnostic::on_unimplemented(
    message = "a guard accepts connections of a listener of `csp::net`: `{Self}` is none",
    label = "expected a `TcpListener` or `UnixListener`"
)]
pub trait Listens: sealed::Listens {}

impl<L: sealed::Listens + ?Sized> Listens for L {}

/// A socket for datagrams, or a reference to one: what the guard `socket.recv_from(&mut buffer)` takes.
#[diagnostic::on_unimplemented(
    message = "a guard receives datagrams of a socket of `csp::net`: `{Self}` is none",
    label = "expected a `UdpSocket` or `UnixDatagram`"
)]
pub trait Receives: sealed::Receives {}

impl<S: sealed::Receives + ?Sized> Receives for S {}

/// A descriptor, or a reference to one: what the guards `stream.readable()` and `stream.writable()` take.
#[diagnostic::on_unimplemented(
    message = "a guard waits for a descriptor of `csp::net`: `{Self}` is none",
    label = "expected a socket of `csp::net`, or a `Polled`"
)]
pub trait Descriptor: sealed::Descriptor {}

impl<D: sealed::Descriptor + ?Sized> Descriptor for D {}

pub(crate) mod sealed {
    use super::{Deed, Location, Site, io};

    #[allow(private_interfaces, reason = "the trait is sealed")]
    pub trait Descriptor {
        fn site(&self, deed: Deed, place: &'static Location<'static>) -> Site<'_>;
    }

    pub trait Listens: Descriptor {
        type Stream;
        type Address;

        fn accept_now(&self) -> io::Result<(Self::Stream, Self::Address)>;
    }

    pub trait Receives: Descriptor {
        type Address;

        fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Self::Address)>;
    }

    macro_rules! by_reference {
        ($($reference:ty),*) => {$(
            #[allow(private_interfaces, reason = "the trait is sealed")]
            impl<D: Descriptor + ?Sized> Descriptor for $reference {
                fn site(&self, deed: Deed, place: &'static Location<'static>) -> Site<'_> {
                    (**self).site(deed, place)
                }
            }

            impl<D: Listens + ?Sized> Listens for $reference {
                type Stream = D::Stream;
                type Address = D::Address;

                fn accept_now(&self) -> io::Result<(D::Stream, D::Address)> {
                    (**self).accept_now()
                }
            }

            impl<D: Receives + ?Sized> Receives for $reference {
                type Address = D::Address;

                fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, D::Address)> {
                    (**self).receive_now(buffer)
                }
            }
        )*};
    }

    by_reference!(&D, &mut D, Box<D>, std::rc::Rc<D>, std::sync::Arc<D>);
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl<T: AsFd> sealed::Descriptor for Polled<T> {
    fn site(&self, deed: Deed, place: &'static Location<'static>) -> Site<'_> {
        Polled::site(self, deed, None, place)
    }
}

/// The result of a guard of a listener.
type AcceptedBy<L> = io::Result<(<L as sealed::Listens>::Stream, <L as sealed::Listens>::Address)>;

/// The result of a guard of a socket for datagrams.
type ReceivedBy<S> = io::Result<(usize, <S as sealed::Receives>::Address)>;

/// The guard `listener.accept()`.
#[track_caller]
pub fn accept<L: Listens + ?Sized>(listener: &L) -> impl Guard<Left = LeftValue<AcceptedBy<L>>> {
    listener.site(Deed::Accept, Location::caller()).guard(|| listener.accept_now())
}

/// The guard `socket.recv_from(&mut buffer)`.
#[track_caller]
pub fn recv_from<S: Receives + ?Sized>(
    socket: &S,
    buffer: &mut [u8],
) -> impl Guard<Left = LeftValue<ReceivedBy<S>>> {
    socket.site(Deed::Receive, Location::caller()).guard(|| socket.receive_now(buffer))
}

/// The guard `stream.readable()`.
#[track_caller]
pub fn readable<D: Descriptor + ?Sized>(
    descriptor: &D,
) -> impl Guard<Left = LeftValue<io::Result<()>>> {
    let site = descriptor.site(Deed::Receive, Location::caller());
    site.guard(move || is_ready(site))
}

/// The guard `stream.writable()`.
#[track_caller]
pub fn writable<D: Descriptor + ?Sized>(
    descriptor: &D,
) -> impl Guard<Left = LeftValue<io::Result<()>>> {
    let site = descriptor.site(Deed::Transmit, Location::caller());
    site.guard(move || is_ready(site))
}

/// Guards of descriptors.
impl<'a, R> Alternation<'a, R> {
    /// Accepts a connection. The closure is given it, or the error.
    #[track_caller]
    pub fn accept<L: Listens>(
        &mut self,
        listener: &'a L,
        then: impl FnMut(io::Result<(L::Stream, L::Address)>) -> R + 'a,
    ) -> usize {
        let site = listener.site(Deed::Accept, Location::caller());
        self.add_arm(site.guard(|| listener.accept_now()).arm(then))
    }

    /// Receives a datagram of this size at most. The closure is given it, with where it is from, or the error. The rest is lost.
    #[track_caller]
    pub fn recv_from<S: Receives>(
        &mut self,
        socket: &'a S,
        size: usize,
        then: impl FnMut(io::Result<(Vec<u8>, S::Address)>) -> R + 'a,
    ) -> usize {
        let site = socket.site(Deed::Receive, Location::caller());
        let received = site.guard(move || {
            let mut datagram = vec![0; size];
            let (size, from) = socket.receive_now(&mut datagram)?;
            datagram.truncate(size);
            Ok((datagram, from))
        });
        self.add_arm(received.arm(then))
    }

    /// Is ready when a read of the descriptor would not wait.
    #[track_caller]
    pub fn readable<D: Descriptor>(
        &mut self,
        descriptor: &'a D,
        then: impl FnMut(io::Result<()>) -> R + 'a,
    ) -> usize {
        let site = descriptor.site(Deed::Receive, Location::caller());
        self.add_arm(site.guard(move || is_ready(site)).arm(then))
    }

    /// Is ready when a write to the descriptor would not wait.
    #[track_caller]
    pub fn writable<D: Descriptor>(
        &mut self,
        descriptor: &'a D,
        then: impl FnMut(io::Result<()>) -> R + 'a,
    ) -> usize {
        let site = descriptor.site(Deed::Transmit, Location::caller());
        self.add_arm(site.guard(move || is_ready(site)).arm(then))
    }
}
