//! Any descriptor whose waiting processes park.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::time::Duration;

use super::operate::Site;
use super::registration::{Deed, Registrations, poll};

/// A pipe takes so much at once if the system says that it takes anything.
pub(crate) const PIECE: usize = if cfg!(target_os = "linux") { libc::PIPE_BUF } else { 512 };

/// A descriptor whose waiting processes park, and not their threads: a pipe, a terminal, a device, or a socket of another crate.
///
/// The library asks the system whether the descriptor is ready, and then reads or writes by the ways of `T`. It never changes the
/// descriptor. So one that is shared with other programs, as standard input is, stays as they expect it. In return another holder of
/// the same descriptor may take what there was to read in between. The read then waits, and its thread with it. A write passes on
/// 4096 bytes at a time on Linux, and 512 elsewhere, because a pipe has room for as many.
///
/// An ordinary file is always ready, also if its disk is slow. Use [`io`](fn@crate::io) for files.
///
/// Do not wrap a reader that has a buffer, such as [`Stdin`](std::io::Stdin). The system does not know what the buffer holds. Wrap a copy of
/// the descriptor: `File::from(stdin().as_fd().try_clone_to_owned()?)`, or use [`read_stdin`](fn@crate::shell::read_stdin).
///
/// ```
/// use std::io::{Read, Write, pipe};
/// use csp::{net::Polled, parallel, process};
///
/// #[process]
/// fn reads<P: Read + Send + 'static>(pipe: P) -> std::io::Result<String> {
///     let (mut pipe, mut text) = (pipe, String::new());
///     pipe.read_to_string(&mut text)?;
///     Ok(text)
/// }
/// #[process]
/// fn writes<P: Write + Send + 'static>(pipe: P) -> std::io::Result<()> {
///     let mut pipe = pipe;
///     pipe.write_all(b"hello")
/// }
///
/// let (input, output) = pipe()?;
/// let (text, _) = parallel!(reads(Polled::new(input)), writes(Polled::new(output)));
/// assert_eq!(text?, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Polled<T: AsFd> {
    /// They end before the descriptor is closed: fields are dropped in this order.
    registrations: Registrations,
    inner: T,
}

impl<T: AsFd> Polled<T> {
    /// Makes a descriptor one whose waiting processes park.
    pub fn new(inner: T) -> Self {
        Self { registrations: Registrations::default(), inner }
    }

    /// Returns the descriptor as it was.
    pub fn into_inner(self) -> T {
        drop(self.registrations);
        self.inner
    }

    /// Lends the descriptor as it was.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    pub(super) fn site(
        &self,
        deed: Deed,
        timeout: Option<Duration>,
        place: &'static Location<'static>,
    ) -> Site<'_> {
        let descriptor = self.inner.as_fd();
        Site { registrations: &self.registrations, descriptor, deed, timeout, place }
    }

    /// Waits until a read would not wait.
    ///
    /// # Errors
    /// Returns an error if the descriptor can't be waited for.
    #[track_caller]
    pub fn readable(&self) -> io::Result<()> {
        let site = self.site(Deed::Receive, None, Location::caller());
        site.operate(|| is_ready(site))
    }

    /// The `async` form of [`readable`](Self::readable).
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    #[track_caller]
    pub fn readable_async(&self) -> impl Future<Output = io::Result<()>> {
        let site = self.site(Deed::Receive, None, Location::caller());
        site.operate_async(move || is_ready(site))
    }

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// Returns an error if the descriptor can't be waited for.
    #[track_caller]
    pub fn writable(&self) -> io::Result<()> {
        let site = self.site(Deed::Transmit, None, Location::caller());
        site.operate(|| is_ready(site))
    }

    /// The `async` form of [`writable`](Self::writable).
    ///
    /// # Errors
    /// As [`writable`](Self::writable).
    #[track_caller]
    pub fn writable_async(&self) -> impl Future<Output = io::Result<()>> {
        let site = self.site(Deed::Transmit, None, Location::caller());
        site.operate_async(move || is_ready(site))
    }

    /// The `async` form of `read`.
    ///
    /// # Errors
    /// The errors of the read of `T`.
    #[track_caller]
    pub fn read_async(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>>
    where
        for<'t> &'t T: Read,
    {
        let site = self.site(Deed::Receive, None, Location::caller());
        site.operate_async(move || is_ready(site).and_then(|()| (&self.inner).read(buffer)))
    }

    /// The `async` form of `write`.
    ///
    /// # Errors
    /// The errors of the write of `T`.
    #[track_caller]
    pub fn write_async(&self, buffer: &[u8]) -> impl Future<Output = io::Result<usize>>
    where
        for<'t> &'t T: Write,
    {
        let site = self.site(Deed::Transmit, None, Location::caller());
        let buffer = &buffer[..buffer.len().min(PIECE)];
        site.operate_async(move || is_ready(site).and_then(|()| (&self.inner).write(buffer)))
    }
}

/// Returns an error if the system says that the operation would wait.
pub(super) fn is_ready(site: Site<'_>) -> io::Result<()> {
    match poll(site.descriptor, site.deed, Some(Duration::ZERO))? {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<T: AsFd + Read> Read for Polled<T> {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.readable()?;
        self.inner.read(buffer)
    }
}

impl<T: AsFd> Read for &Polled<T>
where
    for<'t> &'t T: Read,
{
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.readable()?;
        (&self.inner).read(buffer)
    }
}

impl<T: AsFd + Write> Write for Polled<T> {
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writable()?;
        self.inner.write(&buffer[..buffer.len().min(PIECE)])
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: AsFd> Write for &Polled<T>
where
    for<'t> &'t T: Write,
{
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writable()?;
        (&self.inner).write(&buffer[..buffer.len().min(PIECE)])
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        (&self.inner).flush()
    }
}

impl<T: AsFd> AsFd for Polled<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsFd> AsRawFd for Polled<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> From<T> for Polled<T> {
    fn from(inner: T) -> Self {
        Self::new(inner)
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Polled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
