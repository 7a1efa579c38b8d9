//! The peers, behind the smallest interface that lets each work be one program: a channel, a write, a read, a start.

mod awaiting;
mod blocking;
pub mod go;

use crate::measure::Clock;

pub(crate) use awaiting::{AsyncChannel, Flume, Kanal, OnCores, Tokio, on_tokio, tokios};
pub(crate) use blocking::{Crossbeam, FlumeThreads, KanalThreads, May, Std};

/// A channel whose operations are the peer's own futures, with nothing around them.
pub(crate) trait Awaiting: 'static {
    const NAME: &'static str;
    type Writer: Clone + Send + Sync + 'static;
    type Reader: Send + 'static;
    const CLOCK: Clock = Clock::Thread;

    /// Runs a future, and what it spawns.
    fn run<R: Send + 'static>(main: impl Future<Output = R> + Send + 'static) -> R {
        on_tokio(main)
    }

    /// Makes a channel. Capacity 0 is a rendezvous, or room for one if the peer has no rendezvous.
    fn channel(capacity: usize) -> (Self::Writer, Self::Reader);
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send;
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send;
}

/// The outcome of a communication.
pub(crate) trait Answer<T> {
    /// Returns `None` if the channel has ended.
    fn value(self) -> Option<T>;
}

impl<T> Answer<T> for Option<T> {
    #[inline]
    fn value(self) -> Self {
        self
    }
}

impl<T, E> Answer<T> for Result<T, E> {
    #[inline]
    fn value(self) -> Option<T> {
        self.ok()
    }
}

/// A channel whose operations block, of threads or of coroutines. `None` means that the channel has ended.
pub(crate) trait Blocking: 'static {
    const NAME: &'static str;
    type Writer: Clone + Send + 'static;
    type Reader: Send + 'static;
    const CLOCK: Clock = Clock::Wall;

    /// Makes a channel. Capacity 0 is a rendezvous.
    fn channel(capacity: usize) -> (Self::Writer, Self::Reader);
    fn write(writer: &Self::Writer, value: u64) -> Option<()>;
    fn read(reader: &Self::Reader) -> Option<u64>;

    /// Starts one more. The returned function waits for its end.
    fn start<R: Send + 'static>(
        body: impl FnOnce() -> R + Send + 'static,
    ) -> impl FnOnce() -> R + Send + 'static {
        let thread = std::thread::spawn(body);
        || thread.join().expect("a benchmark does not panic")
    }
}
