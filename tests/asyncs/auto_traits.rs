//! The public types that may be sent, shared and moved while pinned. The compiler checks all of it: nothing here runs.
//!
//! The future of an operation is neither `Send` nor `Sync`. It acts for a process of its thread, and uses data of that thread only.
//! Once its offer is made, other processes point at it, so it is not `Unpin`. It is `Unpin` if all that they point at lies on the heap.
#![allow(dead_code, clippy::let_underscore_future)]

use csp::{
    Alternation, Barrier, BeginAsync, Bucket, Channel, Current, Erased, Every, Extended, Failure,
    IntoIter, Iter, Network, Parallel, Poison, Process, ReadAsync, Reader, ReaderStream,
    Replicated, Sequence, SharedBuf, Spawned, Termination, WriteAsync, WriteError, Writer,
    WriterSink, io::Call,
};
use futures_util::{SinkExt as _, StreamExt as _};
use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// Fails to compile for a type that has the trait, because then both implementations apply and the call is ambiguous.
macro_rules! absent {
    ($module:ident, $trait:ident) => {
        mod $module {
            pub(super) struct Present;
            pub(super) trait Absent<Which> {
                fn absent(&self) {}
            }
            impl<T: ?Sized> Absent<()> for T {}
            impl<T: ?Sized + $trait> Absent<Present> for T {}
        }
    };
}

absent!(send, Send);
absent!(sync, Sync);
absent!(unpin, Unpin);

/// Checks the traits of a type: `is!(value: Send, !Sync)`.
macro_rules! is {
    ($value:expr $(, $($trait:tt)+)?) => {{ let value = $value; $(is!(@ value, $($trait)+);)? let _ = value; }};
    (@ $value:ident, ! Send $(, $($rest:tt)+)?) => { send::Absent::<_>::absent(&$value); $(is!(@ $value, $($rest)+);)? };
    (@ $value:ident, ! Sync $(, $($rest:tt)+)?) => { sync::Absent::<_>::absent(&$value); $(is!(@ $value, $($rest)+);)? };
    (@ $value:ident, ! Unpin $(, $($rest:tt)+)?) => { unpin::Absent::<_>::absent(&$value); $(is!(@ $value, $($rest)+);)? };
    (@ $value:ident, Send $(, $($rest:tt)+)?) => { is_send(&$value); $(is!(@ $value, $($rest)+);)? };
    (@ $value:ident, Sync $(, $($rest:tt)+)?) => { is_sync(&$value); $(is!(@ $value, $($rest)+);)? };
    (@ $value:ident, Unpin $(, $($rest:tt)+)?) => { is_unpin(&$value); $(is!(@ $value, $($rest)+);)? };
}

fn is_send<T: ?Sized + Send>(_: &T) {}
fn is_sync<T: ?Sized + Sync>(_: &T) {}
fn is_unpin<T: ?Sized + Unpin>(_: &T) {}

fn any<T>() -> T {
    unreachable!("nothing here runs")
}

/// A type that is `Send` but not `Sync`.
type Local = Cell<u8>;
/// A type that is neither `Send` nor `Sync`.
type Bound = PhantomData<*const ()>;

fn ends() {
    is!(any::<Reader<Local>>(), Send, Sync, Unpin);
    is!(any::<Writer<Local>>(), Send, Sync, Unpin);
    is!(any::<Channel<Local>>(), Send, Sync, Unpin);
    is!(any::<Reader<Bound>>(), !Send, !Sync);
    is!(any::<Writer<Bound>>(), !Send, !Sync);
    is!(any::<Channel<Bound>>(), !Send, !Sync);
    is!(any::<Extended<'_, u8>>(), Send, Sync);
    is!(any::<Extended<'_, Bound>>(), !Send, !Sync);
    is!(any::<Iter<'_, u8>>(), Send, Sync);
    is!(any::<IntoIter<u8>>(), Send, Sync);
    is!(any::<Barrier>(), Send, Sync, Unpin);
    is!(any::<Bucket>(), Send, Sync, Unpin);
}

fn operations(reader: &Reader<u8>, writer: &Writer<u8>) {
    is!(any::<ReadAsync<'_, u8>>(), !Send, !Sync, !Unpin);
    is!(any::<BeginAsync<'_, u8>>(), !Send, !Sync, !Unpin);
    is!(any::<WriteAsync<'_, u8>>(), !Send, !Sync, !Unpin);
    is!(reader.read_async(), !Send, !Sync, !Unpin);
    is!(writer.write_async(0), !Send, !Sync, !Unpin);
    is!(reader.begin_async(), !Send, !Sync, !Unpin);
    let (barrier, bucket) = (any::<Barrier>(), any::<Bucket>());
    is!(barrier.sync_async(), !Send, !Sync, !Unpin);
    is!(bucket.fall_in_async(), !Send, !Sync, !Unpin);
    is!(any::<Spawned<u8>>().join_async(), !Send, !Sync, !Unpin);
    is!(any::<Spawned<u8>>().try_join_async(), !Send, !Sync, !Unpin);
    is!(csp::shutdown_async(), !Send, !Sync, !Unpin);
    is!(csp::sleep_async(Duration::ZERO), !Send, !Sync, !Unpin);
    is!(csp::sleep_until_async(any::<Instant>()), !Send, !Sync, !Unpin);
    let mut every = any::<Every>();
    is!(every.next_async(), !Send, !Sync, !Unpin);
    // The offers of a choice lie on the heap.
    let mut choice = any::<Alternation<'_, u8>>();
    is!(choice.choose_async(), !Send, !Sync);
    is!(chooses(reader), !Send, !Sync, !Unpin);
    is!(any::<Parallel<u8>>().run_async(), !Send, !Sync, !Unpin);
    is!(any::<Sequence<u8>>().run_async(), !Send, !Sync, !Unpin);
    // Nothing points at these futures, because other threads do the work.
    is!(csp::io_async(|| 0_u8), Send, !Unpin);
    is!(csp::compute_async(|| 0_u8), Send, !Unpin);
}

/// Streams and sinks own their ends, and their offers lie on the heap.
fn streams_and_sinks() {
    is!(any::<ReaderStream<Local>>(), Send, Sync, Unpin);
    is!(any::<WriterSink<Local>>(), Send, Sync, Unpin);
    is!(any::<ReaderStream<Bound>>(), !Send, !Sync, Unpin);
    is!(any::<WriterSink<Bound>>(), !Send, !Sync, Unpin);
    let (mut stream, mut sink) = (any::<ReaderStream<Local>>(), any::<WriterSink<Local>>());
    is!(stream.next(), Send);
    is!(sink.send(any::<Local>()), Send);
    is!(sink.close(), Send, Unpin);
    is!(stream.map(drop).collect::<Vec<_>>(), Send);
    let (mut stream, mut sink) = (any::<ReaderStream<Bound>>(), any::<WriterSink<Bound>>());
    is!(stream.next(), !Send, !Sync);
    is!(sink.send(any::<Bound>()), !Send, !Sync);
    is_static(&any::<ReaderStream<Local>>());
    is_static(&any::<WriterSink<Local>>());
    is_task(async { any::<ReaderStream<Local>>().next().await });
    is_task(async { any::<WriterSink<Local>>().send(any::<Local>()).await });
}

fn is_static<T: 'static>(_: &T) {}
fn is_task(_: impl Future<Output: Send> + Send + 'static) {}

async fn chooses(reader: &Reader<u8>) -> csp::Result<u8> {
    csp::alt! { x = reader.read_async().await => x }
}

fn choice() {
    is!(any::<Alternation<'_, u8>>(), !Send, !Sync);
    is!(any::<Call<u8>>(), Send, !Sync, Unpin);
}

fn processes() {
    is!(any::<Process<u8, u8>>(), Send, Unpin);
    is!(any::<Process<Erased<u8>, u8>>(), Send, Unpin);
    is!(any::<Replicated<u8, u8>>(), Send, Unpin);
    is!(any::<Spawned<Local>>(), Send, Sync, Unpin);
    is!(any::<Parallel<u8>>(), Send, Unpin);
    is!(any::<Sequence<u8>>(), Send, Unpin);
    is!(any::<Current>(), Send, Sync, Unpin);
    is!(any::<Every>(), Send, Sync, Unpin);
    is!(any::<SharedBuf>(), Send, Sync, Unpin);
}

fn ends_and_reports() {
    is!(any::<Termination>(), Send, Sync, Unpin);
    is!(any::<Poison>(), Send, Sync, Unpin);
    is!(any::<Failure>(), Send, Sync, Unpin);
    is!(any::<Network>(), Send, Sync, Unpin);
    is!(any::<WriteError<u8>>(), Send, Sync, Unpin);
    is!(any::<WriteError<std::cell::Cell<u8>>>(), Send, Sync, Unpin);
    is!(any::<WriteError<Bound>>(), !Send, !Sync);
}
