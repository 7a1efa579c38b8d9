//! Peers whose processes are OS threads, and may, whose are coroutines.

use super::Blocking;
use crate::measure::Clock;

/// Implements a write and a read for peers that name them alike.
macro_rules! sends_and_recvs {
    ($writer:ty, $reader:ty) => {
        type Writer = $writer;
        type Reader = $reader;

        #[inline]
        fn write(writer: &Self::Writer, value: u64) -> Option<()> {
            writer.send(value).ok()
        }

        #[inline]
        fn read(reader: &Self::Reader) -> Option<u64> {
            reader.recv().ok()
        }
    };
}

pub(crate) struct Crossbeam;

impl Blocking for Crossbeam {
    const NAME: &'static str = "crossbeam";
    sends_and_recvs!(crossbeam_channel::Sender<u64>, crossbeam_channel::Receiver<u64>);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        crossbeam_channel::bounded(capacity)
    }
}

pub(crate) struct FlumeThreads;

impl Blocking for FlumeThreads {
    const NAME: &'static str = "flume";
    sends_and_recvs!(flume::Sender<u64>, flume::Receiver<u64>);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        flume::bounded(capacity)
    }
}

pub(crate) struct KanalThreads;

impl Blocking for KanalThreads {
    const NAME: &'static str = "kanal";
    sends_and_recvs!(kanal::Sender<u64>, kanal::Receiver<u64>);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        kanal::bounded(capacity)
    }
}

pub(crate) struct Std;

impl Blocking for Std {
    const NAME: &'static str = "std";
    sends_and_recvs!(std::sync::mpsc::SyncSender<u64>, std::sync::mpsc::Receiver<u64>);

    fn channel(capacity: usize) -> (Self::Writer, Self::Reader) {
        std::sync::mpsc::sync_channel(capacity)
    }
}

/// Its channels have no bound, so it does only works in which no process can write ahead of another.
pub(crate) struct May;

impl Blocking for May {
    const NAME: &'static str = "may";
    sends_and_recvs!(may::sync::mpsc::Sender<u64>, may::sync::mpsc::Receiver<u64>);
    /// The clock of its one worker.
    const CLOCK: Clock = Clock::Thread;

    fn channel(_: usize) -> (Self::Writer, Self::Reader) {
        may::sync::mpsc::channel()
    }

    fn start<R: Send + 'static>(
        body: impl FnOnce() -> R + Send + 'static,
    ) -> impl FnOnce() -> R + Send + 'static {
        may::config().set_workers(1);
        let coroutine = may::go!(body);
        || coroutine.join().expect("a benchmark does not panic")
    }
}
