//! Peers whose processes are OS threads, and may, whose are coroutines.

use super::Blocking;
use crate::measure::Clock;

pub(crate) struct Crossbeam;

impl Blocking for Crossbeam {
    type Writer = crossbeam_channel::Sender<u64>;
    type Reader = crossbeam_channel::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        crossbeam_channel::bounded(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> Option<()> {
        writer.send(value).ok()
    }

    #[inline]
    fn read(reader: &Self::Reader) -> Option<u64> {
        reader.recv().ok()
    }
}

pub(crate) struct FlumeThreads;

impl Blocking for FlumeThreads {
    type Writer = flume::Sender<u64>;
    type Reader = flume::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        flume::bounded(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> Option<()> {
        writer.send(value).ok()
    }

    #[inline]
    fn read(reader: &Self::Reader) -> Option<u64> {
        reader.recv().ok()
    }
}

pub(crate) struct KanalThreads;

impl Blocking for KanalThreads {
    type Writer = kanal::Sender<u64>;
    type Reader = kanal::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        kanal::bounded(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> Option<()> {
        writer.send(value).ok()
    }

    #[inline]
    fn read(reader: &Self::Reader) -> Option<u64> {
        reader.recv().ok()
    }
}

pub(crate) struct Std;

impl Blocking for Std {
    type Writer = std::sync::mpsc::SyncSender<u64>;
    type Reader = std::sync::mpsc::Receiver<u64>;

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        std::sync::mpsc::sync_channel(capacity)
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> Option<()> {
        writer.send(value).ok()
    }

    #[inline]
    fn read(reader: &Self::Reader) -> Option<u64> {
        reader.recv().ok()
    }
}

/// Its channels have no bound, so it stands only where no process can write ahead of another.
pub(crate) struct May;

impl Blocking for May {
    type Writer = may::sync::mpsc::Sender<u64>;
    type Reader = may::sync::mpsc::Receiver<u64>;
    /// That of its one worker.
    const CLOCK: Clock = Clock::Thread;

    fn channel(_: usize) -> (Self::Writer, Self::Reader) {
        may::sync::mpsc::channel()
    }

    #[inline]
    fn write(writer: &Self::Writer, value: u64) -> Option<()> {
        writer.send(value).ok()
    }

    #[inline]
    fn read(reader: &Self::Reader) -> Option<u64> {
        reader.recv().ok()
    }

    fn start<R: Send + 'static>(
        body: impl FnOnce() -> R + Send + 'static,
    ) -> impl FnOnce() -> R + Send + 'static {
        may::config().set_workers(1);
        let coroutine = may::go!(body);
        || coroutine.join().expect("a benchmark does not panic")
    }
}
