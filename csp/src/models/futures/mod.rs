//! Processes that are futures: a drop between commit and wake-up, and the choice of the process
//! that is woken.
//!
//! `drive` hosts one process, with the same task header (head) and per-thread executor (crowd) as
//! the real hosts.

mod away;
#[cfg(feature = "futures")]
mod roaming;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context as Waking, Poll, Wake, Waker};

use super::Chose::{Late, Nothing, Read, Synced};
use super::extended::{Work, serve};
use super::*;
use crate::choice::barrier::Barrier;
use crate::choice::bucket::Bucket;
use crate::choice::guards::late::Handover;
use crate::commit::gate::shares;
use crate::process::code::Code;
use crate::process::definition::Definition;
use crate::process::group::Ended;
use crate::process::join::Join;
use crate::process::single::Single;
use crate::process::{Failure, work};
use crate::wait::blocked::Want;
use crate::wait::future::{Crowd, Head, Home};
use crate::wait::park::current;

thread_local! {
    /// Kept until the next execution, so that a late access is found.
    static KEPT: RefCell<VecDeque<Box<dyn std::any::Any>>> = const { RefCell::new(VecDeque::new()) };
    static CROWDS: RefCell<Vec<&'static Crowd>> = const { RefCell::new(Vec::new()) };
    /// The number of heads.
    static HEADS: Cell<isize> = const { Cell::new(0) };
}

/// Begins an execution.
pub(super) fn begin() {
    HEADS.set(0);
    shares::COUNT.set(0);
    CROWDS.with_borrow_mut(Vec::clear);
    KEPT.with_borrow_mut(VecDeque::clear);
}

/// Ends an execution. All processes have ended, and all threads have left their crowds. So no letter (cross-thread wake-up message)
/// is left, and nothing refers to a head any more.
pub(super) fn end() {
    let letters: usize = CROWDS.with_borrow(|crowds| crowds.iter().map(|crowd| crowd.mail()).sum());
    assert_eq!(shares::COUNT.get(), 0, "gates or promises kept for nothing");
    assert_eq!(letters, 0, "letters left to a thread that has ended");
    assert_eq!(HEADS.get(), 0, "heads kept for nothing (>0) or freed twice (<0)");
}

fn keep<T: 'static>(value: T) -> NonNull<T> {
    let mut value = Box::new(value);
    let place = NonNull::from(&mut *value);
    KEPT.with_borrow_mut(|kept| kept.push_back(value));
    place
}

struct Host;

impl Blocked for Host {
    fn place(&self) -> &'static Location<'static> {
        Location::caller()
    }

    fn wants(&self, _: &mut dyn FnMut(Want<'_>)) {}
}

/// Polls a future to its end, as a process of this thread.
pub(super) fn drive<F: Future>(future: F) -> F::Output {
    let context = current();
    // SAFETY: kept for longer than the threads of the execution.
    let crowd: &'static Crowd = unsafe { keep(Crowd::new()).as_ref() };
    CROWDS.with_borrow_mut(|crowds| crowds.push(crowd));
    crowd.join_thread();
    let home = keep(Home {
        crowd,
        identity: |_| Identity { of: Arc::new(Name("future")), index: 0 },
        named: |_| (&Name("future"), 0),
        free: |head| {
            // SAFETY: it is not used any more, and its memory is kept.
            unsafe { head.drop_in_place() };
            HEADS.set(HEADS.get() - 1);
        },
    });
    let place: NonNull<Head> = keep(MaybeUninit::<Head>::uninit()).cast();
    // SAFETY: there is nothing there yet, and the home is kept as long.
    unsafe { place.write(Head::new(home)) };
    HEADS.set(HEADS.get() + 1);
    // SAFETY: kept, as the crowd is.
    let head: &'static Head = unsafe { &*place.as_ptr() };
    // The future is polled until it is ready. In between the thread parks.
    let mut future = Box::pin(future);
    let mut kept = None;
    let output = loop {
        context.resume(head, kept.as_mut(), Default::default());
        let polled = future.as_mut().poll(&mut Waking::from_waker(&head.waker()));
        if let Poll::Ready(output) = polled {
            drop(future);
            context.suspend();
            break output;
        }
        kept = context.suspend();
        while crowd.next().is_none() {
            crowd.sleep(context, &Host);
            crowd.take_letters();
        }
    };
    // SAFETY: it is over, and not used any more.
    unsafe { Head::end(place) };
    while crowd.next().is_some() {}
    crowd.leave_thread();
    output
}

/// Wakes a thread that polls by itself.
struct Bell {
    rung: loom::sync::Mutex<bool>,
    thread: Thread,
    /// A channel that the waker uses.
    touch: Option<Reader<Value>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(reader) = &self.touch {
            let _ = reader.termination();
        }
        *self.rung.lock().unwrap() = true;
        self.thread.unpark();
    }
}

/// Polls a future to its end outside of any process that is a future, as an executor of another
/// crate does.
fn drive_elsewhere<F: Future>(future: F) -> F::Output {
    drive_touching(None, future)
}

/// Polls a future in the same way, with a waker that uses a channel.
fn drive_touching<F: Future>(touch: Option<Reader<Value>>, future: F) -> F::Output {
    let rung = loom::sync::Mutex::new(false);
    let bell = Arc::new(Bell { rung, thread: thread::current(), touch });
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = Box::pin(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Waking::from_waker(&waker)) {
            return output;
        }
        while !std::mem::take(&mut *bell.rung.lock().unwrap()) {
            thread::park();
        }
    }
}

/// Polls a future once and drops it. Returns its output, if it was ready.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|waking| {
        Poll::Ready(match future.as_mut().poll(waking) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Polls it with a waker of another kind first.
async fn moved<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let first = future.as_mut().poll(&mut Waking::from_waker(Waker::noop()));
    match first {
        Poll::Ready(output) => output,
        Poll::Pending => future.await,
    }
}

async fn read_async(reader: &Reader<Value>) -> Got {
    Ok(reader.read_async().await?.0)
}

/// Reads. If the first read has to wait, it is dropped, and another begins.
async fn read_again(reader: Reader<Value>) -> Got {
    match once(read_async(&reader)).await {
        Some(got) => got,
        None => read_async(&reader).await,
    }
}

async fn write_async(writer: &Writer<Value>, n: u8) -> Wrote {
    let written = writer.write_async(Value::new(n)).await;
    written.map_err(|error| {
        let ended = error.termination.clone();
        (error.into_inner().0, ended.into())
    })
}

const RETIRED: How = How::Retired;

/// Awaits a fair choice.
macro_rules! choose_async {
    ($a:tt) => { choose_async!(@ a 0 $a) };
    ($a:tt, $b:tt) => { choose_async!(@ a 0 $a b 1 $b) };
    (@ $($name:ident $index:literal ($guard:expr => $then:expr))+) => {{
        static SITE: alt::Site = alt::Site::new();
        $(let mut $name = $guard;)+
        match alt::choose_async(&SITE, [$($name.offer()),+]).await {
            Err(termination) => Err(How::from(termination)),
            $(Ok($index) => Ok($then($name.value())),)+
            Ok(_) => unreachable!("there is no such guard"),
        }
    }};
}

#[test]
fn a_read_is_awaited() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { [read_async(&reader).await, read_async(&reader).await] }),
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Err(RETIRED)], Ok(()))]));
}

#[test]
fn two_futures_communicate() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { [read_async(&reader).await, read_async(&reader).await] }),
            move || {
                drive(async move { [write_async(&writer, 1).await, write_async(&writer, 2).await] })
            },
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Ok(2)], [Ok(()), Ok(())])]));
}

#[test]
fn a_future_waits_in_another_executor() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || {
                drive_elsewhere(
                    async move { [read_async(&reader).await, read_async(&reader).await] },
                )
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Err(RETIRED)], Ok(()))]));
}

/// The last process that polls it is woken.
#[test]
fn a_read_changes_who_is_woken() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let read = async move { Ok(moved(reader.read_async()).await?.0) };
        (move || drive(read), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok::<_, How>(1), Ok(()))]));
}

#[test]
fn a_choice_changes_who_is_woken() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        let choice = async move {
            moved(async { choose_async!((alt::read(&a) => got), (alt::read(&b) => got)) }).await
        };
        (
            move || drive(choice),
            move || {
                let _other = other;
                write(&writer, 1)
            },
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(Read(1)), Ok(()))]));
}

/// Two operations of one process each wake it.
#[test]
fn one_process_awaits_two_reads() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        // Both reads are polled whenever the process is woken.
        let both = async move {
            let (mut one, mut two) = (pin!(read_async(&a)), pin!(read_async(&b)));
            let (mut first, mut second) = (None, None);
            poll_fn(|waking| {
                if first.is_none()
                    && let Poll::Ready(got) = one.as_mut().poll(waking)
                {
                    first = Some(got);
                }
                if second.is_none()
                    && let Poll::Ready(got) = two.as_mut().poll(waking)
                {
                    second = Some(got);
                }
                match (first, second) {
                    (Some(first), Some(second)) => Poll::Ready((first, second)),
                    _ => Poll::Pending,
                }
            })
            .await
        };
        (move || drive(both), move || write(&writer, 1), move || write(&other, 2))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), Ok(2)), Ok(()), Ok(()))]));
}

/// Its value goes to the next reader.
#[test]
fn a_read_that_is_dropped_loses_no_value() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(read_again(reader)), move || (write(&writer, 1), write(&writer, 2)))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), (Ok(()), Err((2, RETIRED))))]));
}

/// The value goes to a reader that waits, or to one that comes later. A reader that was told of the
/// end meanwhile has no part in it.
#[test]
fn what_a_dropped_read_was_given_is_the_next_readers() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, other, writer) = (channel.reader(), channel.reader(), channel.writer());
        let reading = async move { once(read_async(&reader)).await };
        (move || drive(reading), move || read(&other), move || write(&writer, 1))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, Ok(1), Ok(())),
            (None, Err(RETIRED), Ok(())),
            (Some(Ok(1)), Err(RETIRED), Ok(())),
            (Some(Err(RETIRED)), Ok(1), Ok(())),
        ])
    );
}

/// The last reader leaves. A value it was given is gone with it, and counts as written. Any other
/// value comes back.
#[test]
fn a_dropped_read_may_be_the_last() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(async move { once(read_async(&reader)).await }), move || write(&writer, 1))
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Some(Ok(1)), Ok(())), (None, Ok(())), (None, Err((1, RETIRED))),])
    );
}

/// The read stands, is not polled again, and another process drops it of its thread's own accord.
#[test]
fn a_dropped_read_of_a_buffer_keeps_the_order() {
    let seen = explore(|| {
        let channel = Channel::buffered(1);
        let (reader, writer) = (channel.reader(), channel.writer());
        let reading = async move {
            let first = once(read_async(&reader)).await;
            let rest = [read_async(&reader).await, read_async(&reader).await];
            (first, rest)
        };
        (move || drive(reading), move || [write(&writer, 1), write(&writer, 2)])
    });
    let written = [Ok(()), Ok(())];
    assert_eq!(
        seen,
        BTreeSet::from([
            ((None, [Ok(1), Ok(2)]), written),
            ((Some(Ok(1)), [Ok(2), Err(RETIRED)]), written),
        ])
    );
}

/// Its value was taken, or is dropped with its future.
#[test]
fn a_write_that_is_dropped_is_done_or_not() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(async move { once(write_async(&writer, 1)).await }), move || read(&reader))
    });
    assert_eq!(seen, BTreeSet::from([(Some(Ok(())), Ok(1)), (None, Ok(1)), (None, Err(RETIRED)),]));
}

#[test]
fn two_drops_meet() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { once(read_async(&reader)).await }),
            move || drive(async move { once(write_async(&writer, 1)).await }),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, None),
            (None, Some(Ok(()))),
            (Some(Ok(1)), None),
            (None, Some(Err((1, RETIRED)))),
            (Some(Err(RETIRED)), None),
        ])
    );
}

#[test]
fn a_poison_meets_a_drop() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || {
                drive(async move { (once(read_async(&reader)).await, read_async(&reader).await) })
            },
            move || writer.poison("enough"),
        )
    });
    let poisoned = Err(How::Poisoned);
    assert_eq!(seen, BTreeSet::from([((Some(poisoned), poisoned), ()), ((None, poisoned), ())]));
}

#[test]
fn a_choice_that_is_dropped_loses_no_value() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.reader());
        let (writer, other) = (left.writer(), right.writer());
        let choosing = async move {
            let choice = async { choose_async!((alt::read(&a) => got), (alt::read(&b) => got)) };
            match once(choice).await {
                Some(Ok(Read(1))) => (Ok(1), read_async(&b).await),
                Some(Ok(Read(2))) => (read_async(&a).await, Ok(2)),
                None => (read_async(&a).await, read_async(&b).await),
                other => panic!("{other:?}"),
            }
        };
        (move || drive(choosing), move || write(&writer, 1), move || write(&other, 2))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(1), Ok(2)), Ok(()), Ok(()))]));
}

#[test]
fn a_choice_to_write_that_is_dropped_is_done_or_not() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::<Value>::new());
        let (a, b) = (left.writer(), right.reader());
        let (reader, other) = (left.reader(), right.writer());
        let choice = async move {
            once(async {
                choose_async!((alt::write(&a, Value::new(1)) => wrote), (alt::read(&b) => got))
            })
            .await
        };
        (
            move || drive(choice),
            move || {
                let _other = other;
                read(&reader)
            },
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Some(Ok(Chose::Wrote)), Ok(1)), (None, Ok(1)), (None, Err(RETIRED)),])
    );
}

/// One of two alternations is dropped. Both happen or neither, or the one that is left does not
/// know of the drop.
#[test]
fn a_dropped_choice_meets_a_choice() {
    let seen = explore(|| {
        let (left, right) = (Channel::new(), Channel::new());
        let (a, b) = (left.reader(), right.writer());
        let (c, d) = (right.reader(), left.writer());
        let choice = async move {
            once(async {
                choose_async!((alt::read(&a) => got), (alt::write(&b, Value::new(1)) => wrote))
            })
            .await
        };
        (
            move || drive(choice),
            move || choose!(alt::read(&c) => got, alt::write(&d, Value::new(2)) => wrote),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Some(Ok(Read(2))), Ok(Chose::Wrote)),
            (Some(Ok(Chose::Wrote)), Ok(Read(1))),
            (None, Ok(Chose::Wrote)),
            (None, Ok(Read(1))),
            (None, Err(RETIRED)),
        ])
    );
}

#[test]
fn an_extended_read_that_is_dropped_lets_its_writer_go() {
    let seen = explore(|| {
        let channel = Channel::<Value>::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let reading = async move {
            let begun = once(async { Ok(reader.begin_async().await?.into_inner().0) }).await;
            match begun {
                Some(got) => got,
                None => read_async(&reader).await,
            }
        };
        (move || drive(reading), move || write(&writer, 1))
    });
    assert_eq!(seen, BTreeSet::from([(Ok::<_, How>(1), Ok(()))]));
}

#[test]
fn a_write_awaits_the_end_of_an_extended_read() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let writing = async move { (write_async(&writer, 1).await, served.look()) };
        (move || drive(writing), move || serve(&reader, &work))
    });
    assert_eq!(seen, BTreeSet::from([((Ok(()), 1), Ok(1))]));
}

/// The server waits for its client in the middle of the read, and the client may have gone.
#[test]
fn a_write_that_is_dropped_does_not_wait_for_an_extended_read() {
    let seen = explore(|| {
        let (channel, gone) = (Channel::new(), Channel::new());
        let (reader, writer) = (channel.reader(), channel.writer());
        let (told, tells) = (gone.reader(), gone.writer());
        let writing = async move {
            let wrote = once(write_async(&writer, 1)).await;
            drop(writer);
            (wrote, write_async(&tells, 2).await)
        };
        let serving = move || {
            let begun = reader.begin();
            let told = read(&told);
            (begun.map(|value| value.0).map_err(How::from), told)
        };
        (move || drive(writing), serving)
    });
    assert_eq!(
        seen,
        BTreeSet::from(
            [((None, Ok(())), (Ok(1), Ok(2))), ((None, Ok(())), (Err(RETIRED), Ok(2))),]
        )
    );
}

fn deliver(handover: Handover<Value>) -> Chose {
    let _ = handover.deliver(Value::new(1));
    Chose::Wrote
}

/// Its maker fails before there is a value.
fn fail(handover: Handover<Value>) -> Chose {
    drop(handover);
    Nothing
}

#[test]
fn a_value_made_late_is_awaited() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (
            move || drive(async move { read_async(&reader).await }),
            move || choose!(alt::defer(&writer) => deliver),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Chose::Wrote))]));
}

#[test]
fn a_value_never_made_leaves_who_awaits_it() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, maker, writer) = (channel.reader(), channel.writer(), channel.writer());
        (
            move || drive(async move { read_async(&reader).await }),
            move || choose!(alt::defer(&maker) => fail),
            move || write(&writer, 2),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(2), Ok(Nothing), Ok(())), (Ok(2), Err(RETIRED), Ok(()))]));
}

/// A value that was made for a reader that has gone goes to the next one.
#[test]
fn a_value_made_late_outlives_its_reader() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        (move || drive(read_again(reader)), move || choose!(alt::defer(&writer) => deliver))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(Chose::Wrote))]));
}

#[test]
fn a_value_is_made_late_by_a_future() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let work = Work::new();
        let served = work.clone();
        let writing = async move {
            let mut guard = alt::defer(&writer);
            static SITE: alt::Site = alt::Site::new();
            let chosen = alt::choose_async(&SITE, [guard.offer()]).await;
            assert!(chosen.is_ok());
            let _ = guard.value().deliver_async(Value::new(1)).await;
            served.look()
        };
        (move || drive(writing), move || serve(&reader, &work))
    });
    assert_eq!(seen, BTreeSet::from([(1, Ok(1))]));
}

/// A future promises a future a value, and either may be dropped.
#[test]
fn a_promise_meets_a_drop() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let writing =
            async move { once(async { choose_async!((alt::defer(&writer) => deliver)) }).await };
        (move || drive(async move { once(read_async(&reader)).await }), move || drive(writing))
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (None, None),
            (None, Some(Ok(Chose::Wrote))),
            (None, Some(Err(RETIRED))),
            (Some(Err(RETIRED)), None),
        ])
    );
}

/// No process waits for one that is dropped and resigns.
#[test]
fn a_drop_takes_back_that_one_has_come_to_a_barrier() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let other = barrier.enrol();
        let coming = async move {
            let came = once(barrier.sync_async()).await;
            if came.is_none() {
                barrier.sync_async().await;
            }
        };
        (move || drive(coming), move || other.sync())
    });
    assert_eq!(seen, BTreeSet::from([((), ())]));
}

#[test]
fn a_drop_meets_the_choice_of_a_barrier() {
    let seen = explore(|| {
        let barrier = Barrier::new();
        let other = barrier.enrol();
        (
            move || drive(async move { once(barrier.sync_async()).await }),
            move || choose!(alt::sync(&other) => synced, timeout() => late),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([
            (Some(()), Ok(Synced)),
            (Some(()), Ok(Late)),
            (None, Ok(Synced)),
            (None, Ok(Late)),
        ])
    );
}

#[test]
fn a_drop_meets_a_flush() {
    let seen = explore(|| {
        let bucket = Bucket::new();
        let other = bucket.clone();
        (move || drive(async move { once(bucket.fall_in_async()).await }), move || other.flush())
    });
    assert_eq!(seen, BTreeSet::from([(None, 0), (None, 1)]));
}

#[test]
fn the_end_of_a_group_is_awaited() {
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(2);
        let (one, other) = (Arc::clone(&group), Arc::clone(&group));
        let waiting = async move {
            let first = once(Ended::new(Arc::clone(&group))).await;
            Ended::new(group).await;
            first.is_some()
        };
        (move || drive(waiting), move || one.leave(1), move || other.leave(1))
    });
    assert_eq!(seen, BTreeSet::from([(true, (), ()), (false, (), ())]));
}

/// A process ends, and its group hears of it. If the future of its end is dropped, nobody asks for
/// it.
#[test]
fn a_process_that_ends_is_joined_or_not() {
    static DEFINITION: Definition = Definition::new("joined");
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(1);
        let process = crate::front::private::process(&DEFINITION, (), Code::new(|()| 1_u8));
        let job = Arc::new(Single::new(process, Arc::clone(&group), false, Location::caller()));
        let work: Arc<dyn work::Work> = job.clone();
        let joining = async move {
            let outcome = once(Join::new(Some(job), Location::caller())).await;
            outcome.map(|outcome: Result<u8, Failure>| outcome.is_ok())
        };
        (move || drive(joining), move || work::run(&work, 0))
    });
    assert_eq!(seen, BTreeSet::from([(Some(true), ()), (None, ())]));
}

#[test]
fn the_end_of_a_process_is_awaited() {
    static DEFINITION: Definition = Definition::new("joined");
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(1);
        let process = crate::front::private::process(&DEFINITION, (), Code::new(|()| 1_u8));
        let job = Arc::new(Single::new(process, Arc::clone(&group), false, Location::caller()));
        let work: Arc<dyn work::Work> = job.clone();
        let joining = async move { Join::new(Some(job), Location::caller()).await.ok() };
        (move || drive(joining), move || work::run(&work, 0))
    });
    assert_eq!(seen, BTreeSet::from([(Some(1), ())]));
}

/// Its process is over, and its head exists until the operation is dropped.
#[test]
fn an_operation_outlives_its_process() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let leaving = async move {
            let mut reading = Box::pin(async move { read_async(&reader).await });
            let polled = poll_fn(|waking| Poll::Ready(reading.as_mut().poll(waking))).await;
            (reading, polled)
        };
        (
            move || {
                let (reading, polled) = drive(leaving);
                drop(reading);
                match polled {
                    Poll::Ready(got) => Some(got),
                    Poll::Pending => None,
                }
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(
        seen,
        BTreeSet::from([(Some(Ok(1)), Ok(())), (None, Ok(())), (None, Err((1, RETIRED)))])
    );
}

/// It then belongs to no process of this thread, and its process is told so with no lock held.
#[test]
fn an_operation_that_outlived_its_process_is_awaited_elsewhere() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, writer) = (channel.reader(), channel.writer());
        let leaving = async move {
            let mut reading = Box::pin(async move { read_async(&reader).await });
            let polled = poll_fn(|waking| Poll::Ready(reading.as_mut().poll(waking))).await;
            (reading, polled)
        };
        (
            move || match drive(leaving) {
                (_, Poll::Ready(got)) => got,
                (reading, Poll::Pending) => drive_elsewhere(reading),
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([(Ok(1), Ok(()))]));
}

/// It may take the lock of the channel, because no thread holds that.
#[test]
fn a_waker_uses_the_channel_that_wakes_it() {
    let seen = explore(|| {
        let channel = Channel::new();
        let (reader, touched, writer) = (channel.reader(), channel.reader(), channel.writer());
        (
            move || {
                let reads = async move { [read_async(&reader).await, read_async(&reader).await] };
                drive_touching(Some(touched), reads)
            },
            move || write(&writer, 1),
        )
    });
    assert_eq!(seen, BTreeSet::from([([Ok(1), Err(RETIRED)], Ok(()))]));
}

#[test]
fn two_await_the_end_of_the_same_processes() {
    let seen = explore(|| {
        let group = Arc::new(Group::new(Location::caller()));
        group.enter(1);
        let one = Arc::clone(&group);
        let waiting = async move {
            let (mut first, mut second) =
                (Box::pin(Ended::new(Arc::clone(&group))), Box::pin(Ended::new(group)));
            let _ = poll_fn(|waking| Poll::Ready(first.as_mut().poll(waking))).await;
            second.as_mut().await;
            drop(first);
        };
        (move || drive(waiting), move || one.leave(1))
    });
    assert_eq!(seen, BTreeSet::from([((), ())]));
}
