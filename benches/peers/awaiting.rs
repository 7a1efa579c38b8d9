//! Peers whose processes are futures: all run on tokio's executor of one thread.

use super::{Answer, Awaiting};

/// Runs a future, and what it spawns, on this thread.
pub(crate) fn on_tokio<R: Send + 'static>(main: impl Future<Output = R> + Send + 'static) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // What `block_on` itself runs is woken by a longer way than what is spawned.
    runtime.block_on(async { tokio::spawn(main).await.expect("a benchmark does not panic") })
}

pub(crate) struct Tokio;

impl Awaiting for Tokio {
    type Writer = tokio::sync::mpsc::Sender<u64>;
    type Reader = tokio::sync::mpsc::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        tokio::sync::mpsc::channel(capacity.max(1))
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
        writer.send(value)
    }

    #[inline]
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
        reader.recv()
    }
}

pub(crate) struct Kanal;

impl Awaiting for Kanal {
    type Writer = kanal::AsyncSender<u64>;
    type Reader = kanal::AsyncReceiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        kanal::bounded_async(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
        writer.send(value)
    }

    #[inline]
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
        reader.recv()
    }
}

pub(crate) struct Flume;

impl Awaiting for Flume {
    type Writer = flume::Sender<u64>;
    type Reader = flume::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        flume::bounded(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
        writer.send_async(value)
    }

    #[inline]
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
        reader.recv_async()
    }
}

pub(crate) struct AsyncChannel;

impl Awaiting for AsyncChannel {
    type Writer = async_channel::Sender<u64>;
    type Reader = async_channel::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        async_channel::bounded(capacity.max(1))
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> impl Future<Output: Answer<()>> + Send {
        writer.send(value)
    }

    #[inline]
    fn read(reader: &mut Self::Reader) -> impl Future<Output: Answer<u64>> + Send {
        reader.recv()
    }
}
