//! Peers whose processes are futures: they run on tokio's executor of one thread, or on that of many.

use std::marker::PhantomData;

use super::{Answer, Awaiting};
use crate::measure::Clock;

/// Runs a future, and what it spawns, on this thread.
pub(crate) fn on_tokio<R: Send + 'static>(main: impl Future<Output = R> + Send + 'static) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Waking the future of `block_on` itself takes longer than waking a spawned task.
    runtime.block_on(async { tokio::spawn(main).await.expect("a benchmark does not panic") })
}

/// Makes an executor of as many threads as `TOKIO_WORKER_THREADS` says. For one there is an executor that is faster.
pub(crate) fn tokios() -> tokio::runtime::Runtime {
    let one = std::env::var("TOKIO_WORKER_THREADS").is_ok_and(|threads| threads == "1");
    let mut builder = match one {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.build().expect("a runtime")
}

/// A peer on all cores, or on one. The time of day counts for both.
pub(crate) struct OnCores<P>(PhantomData<P>);

impl<P: Awaiting> Awaiting for OnCores<P> {
    const NAME: &'static str = P::NAME;
    type Writer = P::Writer;
    type Reader = P::Reader;
    const CLOCK: Clock = Clock::Wall;

    fn run<R: Send + 'static>(main: impl Future<Output = R> + Send + 'static) -> R {
        let main = async { tokio::spawn(main).await.expect("a benchmark does not panic") };
        tokios().block_on(main)
    }

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        P::channel(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
        P::write(writer, value)
    }

    #[inline]
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
        P::read(reader)
    }
}

/// Declares the ends of a channel, and names the peer's write and read.
macro_rules! channel_of {
    ($writer:ty, $write:ident; $reader:ty, $read:ident) => {
        type Writer = $writer;
        type Reader = $reader;

        #[inline]
        fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
            writer.$write(value)
        }

        #[inline]
        fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
            reader.$read()
        }
    };
}

pub(crate) struct Tokio;

impl Awaiting for Tokio {
    const NAME: &'static str = "tokio";
    channel_of!(tokio::sync::mpsc::Sender<u64>, send; tokio::sync::mpsc::Receiver<u64>, recv);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        tokio::sync::mpsc::channel(capacity.max(1))
    }
}

pub(crate) struct Kanal;

impl Awaiting for Kanal {
    const NAME: &'static str = "kanal";
    channel_of!(kanal::AsyncSender<u64>, send; kanal::AsyncReceiver<u64>, recv);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        kanal::bounded_async(capacity)
    }
}

pub(crate) struct Flume;

impl Awaiting for Flume {
    const NAME: &'static str = "flume";
    channel_of!(flume::Sender<u64>, send_async; flume::Receiver<u64>, recv_async);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        flume::bounded(capacity)
    }
}

pub(crate) struct AsyncChannel;

impl Awaiting for AsyncChannel {
    const NAME: &'static str = "async-channel";
    channel_of!(async_channel::Sender<u64>, send; async_channel::Receiver<u64>, recv);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        async_channel::bounded(capacity.max(1))
    }
}
